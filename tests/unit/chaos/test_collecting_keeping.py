"""What the collecting trial says a run of retention may take, and has to."""

from __future__ import annotations

import pytest

from protocol.digest import Digest
from tests.chaos.collecting import contents, keeping
from tests.chaos.collecting.contents import Artifact
from tests.chaos.collecting.model import Model
from tests.chaos.collecting.policy import HARBOR, OWN, Policy

UNIVERSE = contents.universe(1)
STRICT, MILD = HARBOR
BY_TAG, BY_DIGEST = OWN
ALL = (STRICT, MILD, BY_TAG, BY_DIGEST)
INDEX = UNIVERSE.indexes[0]
ALONE = UNIVERSE.images[-1]
SIGNATURE = next(one for one in UNIVERSE.companions if one.signs is not None)


def tag(number: int) -> str:
    return f"o1-t{number}"


def artifact(digest: Digest) -> Artifact:
    return UNIVERSE.by_digest[digest]


@pytest.fixture
def model() -> Model:
    """An index with its children, and an image beside it; neither has a tag yet."""
    model = Model(universe=UNIVERSE)
    for child in INDEX.children:
        model.pushed(artifact(child), None)
    model.pushed(INDEX, None)
    model.pushed(ALONE, None)
    return model


@pytest.mark.parametrize("policy", ALL, ids=lambda one: one.name)
def test_what_a_rule_keeps_is_certain_with_all_it_names(model: Model, policy: Policy) -> None:
    model.pushed(INDEX, tag(0))
    model.pushed(ALONE, tag(1))
    model.pushed(INDEX, tag(4))
    model.retention_begins(1, policy)
    assert {INDEX.digest, *INDEX.children} <= model.certain()
    assert model.certain_tags()[tag(0)] == INDEX.digest
    assert keeping.condemned(model, policy) == []


def test_what_may_go_is_in_doubt_as_long_as_a_run_may_meet_it(model: Model) -> None:
    model.pushed(ALONE, tag(1))
    model.retention_begins(1, STRICT)
    assert ALONE.digest not in model.certain()
    assert keeping.condemned(model, STRICT) == [INDEX.digest]
    model.retention_ends(1)
    # A push that began before the end is noted after it.
    model.pushed(ALONE, tag(1))
    assert ALONE.digest not in model.certain()
    model.moves_on()
    model.pushed(ALONE, tag(1))
    assert model.certain_tags() == {tag(1): ALONE.digest}


@pytest.mark.parametrize(("policy", "is_certain"), [(BY_TAG, True), (BY_DIGEST, False)])
def test_a_child_without_a_tag_is_in_doubt_only_where_untagged_ones_go(
    policy: Policy, *, is_certain: bool
) -> None:
    model = Model(universe=UNIVERSE)
    model.retention_begins(1, policy)
    model.pushed(artifact(INDEX.children[0]), None)
    assert (INDEX.children[0] in model.certain()) is is_certain


def test_where_tags_go_one_by_one_what_they_lead_to_may_stay(model: Model) -> None:
    for number in (0, 3, 4):
        model.pushed(ALONE, tag(number))
    model.retention_begins(1, BY_TAG)
    assert ALONE.digest in model.certain()
    assert set(model.certain_tags()) == {tag(0)}
    assert keeping.condemned_tags(model, BY_TAG) == [tag(4)]
    assert keeping.condemned(model, BY_TAG) == []
    model.settle(model.there, {tag(0): ALONE.digest, tag(3): ALONE.digest})
    assert set(model.tags) == {tag(0), tag(3)}


def test_a_tag_that_is_not_meant_spares_an_artifact_from_our_own_rules(model: Model) -> None:
    model.pushed(ALONE, tag(4))
    assert ALONE.digest in keeping.condemned(model, BY_DIGEST)
    model.pushed(ALONE, tag(2))
    assert ALONE.digest not in keeping.condemned(model, BY_DIGEST)
    assert ALONE.digest not in keeping.exposed(model, BY_DIGEST)


def test_children_and_signatures_are_not_deleted_but_go_with_what_is(model: Model) -> None:
    assert SIGNATURE.signs is not None
    model.pushed(artifact(SIGNATURE.signs), tag(4))
    model.pushed(SIGNATURE, SIGNATURE.own_tag)
    going = keeping.condemned(model, STRICT)
    assert SIGNATURE.digest not in going
    assert not {*INDEX.children} & {*going} - {SIGNATURE.signs}
    model.retention_begins(1, STRICT)
    assert not {SIGNATURE.digest, *INDEX.children} & model.certain()


def test_what_only_a_doubtful_tag_holds_is_in_doubt_when_its_index_goes(model: Model) -> None:
    child = artifact(INDEX.children[0])
    model.pushed(child, tag(4))
    model.retention_begins(1, BY_TAG)
    model.retention_ends(1)
    model.moves_on()
    assert child.digest in model.certain()
    model.deleted(INDEX.digest)
    assert child.digest not in model.certain() | model.doomed()


def test_an_index_that_may_be_gone_keeps_none_of_its_children(model: Model) -> None:
    model.retention_begins(1, STRICT)
    model.retention_ends(1)
    model.moves_on()
    child = artifact(INDEX.children[0])
    model.pushed(child, tag(3))
    assert child.digest in model.certain()
    # The next policy keeps what has no tag, and would the index: if it is there.
    model.retention_begins(2, MILD)
    assert child.digest not in model.certain()
    assert model.certain_tags() == {}
