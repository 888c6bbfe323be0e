from __future__ import annotations

import pytest

from protocol.digest import Digest
from registry.care import old_repository
from registry.care.old_repository import OldRepository, Skipped, TagChange

ONE, OTHER = Digest.of(b"one"), Digest.of(b"other")


def test_a_repository_in_no_project_is_put_into_one() -> None:
    assert old_repository.name_here("alpine", project="hub") == "hub/alpine"
    assert old_repository.name_here("team/app", project="hub") == "team/app"


@pytest.mark.parametrize(
    ("here", "imported", "change"),
    [
        (None, False, TagChange.MOVE),
        (ONE, True, TagChange.NONE),
        (ONE, False, TagChange.NONE),
        (OTHER, True, TagChange.MOVE),
        (OTHER, False, TagChange.KEEP),
    ],
)
def test_a_tag_is_moved_unless_somebody_moved_it_here(
    here: Digest | None, *, imported: bool, change: TagChange
) -> None:
    assert old_repository.tag_change(here=here, there=ONE, imported=imported) is change


def test_a_repository_says_which_links_lead_nowhere() -> None:
    skipped = Skipped(where="a:1", reason="the tag has no current/link")
    found = OldRepository(name="a", revisions=(ONE,), tags={"2": ONE}, skipped=(skipped,))
    assert found.skipped == (skipped,)
