"""Which manifests are garbage."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry import garbage
from registry.garbage import Facts, Look, Verdict

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALONE = Facts(
    id=1,
    has_tags=False,
    has_own_tags=False,
    is_named=False,
    is_held=False,
    pinned_until=None,
    lease_until=NOW - DAY,
    pushed_at=NOW - 2 * DAY,
    last_used_at=None,
    pulled_at=None,
    untagged_keep_days=None,
)
ORPHANED = Look(
    reason="parent_deleted",
    queued_at=NOW - HOUR,
    attempts=0,
    now=NOW,
    delete_untagged=False,
)
UNTAGGED = replace(ORPHANED, reason="untagged")


@pytest.mark.parametrize("reason", ["parent_deleted", "subject_deleted"])
def test_an_orphan_goes(reason: str) -> None:
    judged = garbage.judge(ALONE, replace(ORPHANED, reason=reason))
    assert (judged.verdict, judged.reason) == (Verdict.GARBAGE, reason)


@pytest.mark.parametrize(
    "needed",
    [
        {"is_named": True},
        {"has_tags": True, "has_own_tags": True},
        {"last_used_at": NOW - HOUR / 2},
        {"pulled_at": NOW - HOUR / 2},
        {"lease_until": NOW + HOUR / 2},  # it was pushed again half an hour ago
    ],
    ids=str,
)
def test_an_orphan_stays_that_is_named_tagged_or_was_used_since(needed: dict[str, object]) -> None:
    found = replace(ALONE, **needed)  # type: ignore[arg-type]
    assert garbage.judge(found, ORPHANED).verdict is Verdict.NEEDED


def test_a_signature_goes_with_its_tag_when_its_subject_went() -> None:
    signature = replace(ALONE, has_tags=True)
    assert garbage.judge(signature, ORPHANED).verdict is Verdict.GARBAGE
    assert garbage.judge(signature, UNTAGGED).verdict is Verdict.NEEDED


def test_what_merely_lost_its_tag_stays() -> None:
    assert garbage.judge(ALONE, UNTAGGED).verdict is Verdict.NEEDED


def test_what_is_untagged_goes_when_nobody_used_it_for_the_days_of_its_project() -> None:
    kept = replace(ALONE, untagged_keep_days=3, last_used_at=NOW - DAY, pulled_at=NOW - 2 * DAY)
    judged = garbage.judge(kept, UNTAGGED)
    assert (judged.verdict, judged.later) == (Verdict.LATER, NOW + 2 * DAY)
    judged = garbage.judge(replace(kept, untagged_keep_days=1), UNTAGGED)
    assert (judged.verdict, judged.reason) == (Verdict.GARBAGE, "untagged")
    assert garbage.judge(replace(kept, has_tags=True), UNTAGGED).verdict is Verdict.NEEDED


def test_a_run_that_deletes_what_is_untagged_takes_it_whenever_it_was_used() -> None:
    run = replace(UNTAGGED, delete_untagged=True)
    judged = garbage.judge(replace(ALONE, last_used_at=NOW), run)
    assert (judged.verdict, judged.reason) == (Verdict.GARBAGE, "untagged")


def test_a_lease_and_a_pin_are_waited_for() -> None:
    leased = replace(ALONE, lease_until=NOW + HOUR / 2)
    pushed = replace(ORPHANED, queued_at=NOW - timedelta(minutes=10))
    assert garbage.judge(leased, pushed).later == NOW + HOUR / 2
    pinned = replace(ALONE, pinned_until=NOW + DAY)
    assert garbage.judge(pinned, ORPHANED).later == NOW + DAY
    assert garbage.judge(replace(pinned, pinned_until=NOW), ORPHANED).verdict is Verdict.GARBAGE


def test_what_is_held_is_looked_at_ever_more_rarely() -> None:
    held = replace(ALONE, is_held=True)
    waits = [
        garbage.judge(held, replace(ORPHANED, attempts=attempts)).later for attempts in range(30)
    ]
    assert waits[:3] == [NOW + timedelta(minutes=minutes) for minutes in (10, 20, 40)]
    assert waits[-1] == NOW + DAY
    assert garbage.again_when_locked(NOW, 1) == NOW + timedelta(seconds=2)
