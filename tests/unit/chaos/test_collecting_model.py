"""What the model of the collecting trial says has to be there, has to be gone, or is in doubt."""

from __future__ import annotations

import pytest

from protocol.digest import Digest
from tests.chaos.collecting import contents
from tests.chaos.collecting.contents import Artifact, Universe
from tests.chaos.collecting.model import Model

UNIVERSE = contents.universe(1)
# Two indexes that share a child.
INDEX, NEXT = UNIVERSE.indexes[:2]
FIRST, SHARED = INDEX.children
SIGNATURE = next(one for one in UNIVERSE.companions if one.signs is not None)


def artifact(digest: Digest) -> Artifact:
    return UNIVERSE.by_digest[digest]


def companion(universe: Universe, *, of_image: bool) -> Artifact:
    """A referrer of an image, or of such a referrer."""
    images = {image.digest for image in universe.images}
    others = {one.digest for one in universe.companions}
    wanted = images if of_image else others
    return next(one for one in universe.companions if one.subject in wanted)


@pytest.fixture
def model() -> Model:
    """An index with its children, and an image beside it."""
    model = Model(universe=UNIVERSE)
    for child in INDEX.children:
        model.pushed(artifact(child), None)
    model.pushed(INDEX, "index")
    return model


def test_what_is_pushed_and_untagged_has_to_stay(model: Model) -> None:
    model.untagged("index")
    assert model.certain() == {INDEX.digest, *INDEX.children}
    assert model.doomed() == set()


def test_children_go_with_their_index(model: Model) -> None:
    model.deleted(INDEX.digest)
    assert model.doomed() == set(INDEX.children)
    assert model.certain() == set()
    assert model.tags == {}


def test_a_child_that_is_tagged_or_in_another_index_stays(model: Model) -> None:
    model.pushed(artifact(NEXT.children[1]), None)
    model.pushed(NEXT, None)
    model.pushed(artifact(FIRST), "tagged")
    model.deleted(INDEX.digest)
    assert model.doomed() == set()
    assert {FIRST, SHARED} <= model.certain()


def test_a_child_goes_when_the_last_index_does(model: Model) -> None:
    model.pushed(artifact(NEXT.children[1]), None)
    model.pushed(NEXT, None)
    model.deleted(INDEX.digest)
    model.deleted(NEXT.digest)
    assert model.doomed() == {FIRST, SHARED, NEXT.children[1]}


def test_a_child_that_is_pushed_again_stays(model: Model) -> None:
    model.deleted(INDEX.digest)
    model.pushed(artifact(FIRST), None)
    assert model.doomed() == {SHARED}
    assert FIRST in model.certain()


def test_a_child_that_only_its_tag_held_is_in_doubt_until_somebody_looks(model: Model) -> None:
    model.pushed(artifact(FIRST), "tagged")
    model.deleted(INDEX.digest)
    model.untagged("tagged")
    assert FIRST not in model.doomed() | model.certain()
    model.settle(model.there, {})
    assert FIRST in model.certain()


def test_referrers_of_a_referrer_go_with_the_subject_at_the_end() -> None:
    model = Model(universe=UNIVERSE)
    below, above = companion(UNIVERSE, of_image=True), companion(UNIVERSE, of_image=False)
    assert below.subject is not None
    for one in (artifact(below.subject), below, above):
        model.pushed(one, None)
    model.deleted(below.subject)
    assert model.doomed() == {below.digest, above.digest}


def test_a_referrer_whose_subject_is_back_is_in_doubt_and_so_is_its_own_referrer() -> None:
    model = Model(universe=UNIVERSE)
    below, above = companion(UNIVERSE, of_image=True), companion(UNIVERSE, of_image=False)
    assert below.subject is not None
    for one in (artifact(below.subject), below, above):
        model.pushed(one, None)
    model.deleted(below.subject)
    model.pushed(artifact(below.subject), None)
    assert model.doomed() == set()
    assert model.certain() == {below.subject}
    model.settle([below.subject], {})
    assert model.gone == {below.digest, above.digest}


def test_a_signature_goes_with_its_tag_and_its_own_tag_does_not_hold_it() -> None:
    model = Model(universe=UNIVERSE)
    assert SIGNATURE.signs is not None
    model.pushed(artifact(SIGNATURE.signs), "signed")
    model.pushed(SIGNATURE, SIGNATURE.own_tag)
    assert set(model.certain_tags()) == {"signed", SIGNATURE.own_tag}
    model.deleted(SIGNATURE.signs)
    assert model.doomed() == {SIGNATURE.digest}
    assert model.certain_tags() == {}


def test_what_is_asked_back_has_to_be_there(model: Model) -> None:
    model.deleted(INDEX.digest)
    model.settle([], {})
    assert model.gone == {INDEX.digest, *INDEX.children}
    model.undeleted(INDEX.digest, [INDEX.digest, *INDEX.children], {"index": INDEX.digest})
    assert model.certain() == {INDEX.digest, *INDEX.children}
    assert model.certain_tags() == {"index": INDEX.digest}


def test_what_accompanies_something_that_may_have_been_taken_is_in_doubt_with_it() -> None:
    model = Model(universe=UNIVERSE)
    below = companion(UNIVERSE, of_image=True)
    assert below.subject is not None
    index = next(one for one in UNIVERSE.indexes if below.subject in one.children)
    for one in (*map(artifact, index.children), index, below):
        model.pushed(one, None)
    model.deleted(index.digest)
    assert below.digest in model.doomed()
    model.pushed(artifact(below.subject), None)
    assert below.digest not in model.doomed() | model.certain()


def test_a_signature_without_its_tag_accompanies_nothing() -> None:
    model = Model(universe=UNIVERSE)
    assert SIGNATURE.signs is not None
    assert SIGNATURE.own_tag is not None
    model.pushed(artifact(SIGNATURE.signs), None)
    model.pushed(SIGNATURE, SIGNATURE.own_tag)
    model.untagged(SIGNATURE.own_tag)
    model.deleted(SIGNATURE.signs)
    assert model.certain() == {SIGNATURE.digest}


def test_what_is_pushed_to_a_subject_that_may_be_gone_is_in_doubt(model: Model) -> None:
    below = next(one for one in UNIVERSE.companions if one.accompanies in INDEX.children)
    model.deleted(INDEX.digest)
    model.pushed(below, below.own_tag)
    assert below.digest not in model.doomed() | model.certain()


def test_where_untagged_ones_go_only_tags_and_what_they_lead_to_stay(model: Model) -> None:
    below = next(one for one in UNIVERSE.companions if one.accompanies == INDEX.digest)
    model.pushed(below, below.own_tag)
    model.pushed(UNIVERSE.images[-1], None)
    model.lose_untagged()
    assert model.doomed() == {UNIVERSE.images[-1].digest}
    assert model.certain() == {INDEX.digest, *INDEX.children, below.digest}
    model.untagged("index")
    model.settle(model.there, {})
    model.lose_untagged()
    assert model.doomed() == model.there


def test_a_signature_of_what_never_came_has_a_tag_and_stays() -> None:
    model = Model(universe=UNIVERSE)
    model.pushed(SIGNATURE, SIGNATURE.own_tag)
    model.lose_untagged()
    assert model.certain() == {SIGNATURE.digest}


def test_a_signature_that_lost_its_tag_after_its_subject_may_have_gone_is_in_doubt() -> None:
    model = Model(universe=UNIVERSE)
    assert SIGNATURE.signs is not None
    assert SIGNATURE.own_tag is not None
    index = next(one for one in UNIVERSE.indexes if SIGNATURE.signs in one.children)
    for one in (*map(artifact, index.children), index):
        model.pushed(one, None)
    model.pushed(SIGNATURE, SIGNATURE.own_tag)
    model.deleted(index.digest)
    model.untagged(SIGNATURE.own_tag)
    assert SIGNATURE.digest not in model.doomed() | model.certain()


def test_what_needed_something_that_had_gone_before_its_deletion_is_in_doubt(model: Model) -> None:
    below = next(one for one in UNIVERSE.companions if one.accompanies in INDEX.children)
    assert below.accompanies is not None
    model.deleted(INDEX.digest)
    model.pushed(below, below.own_tag)
    model.vanished(below.accompanies)
    assert below.digest not in model.doomed() | model.certain()
