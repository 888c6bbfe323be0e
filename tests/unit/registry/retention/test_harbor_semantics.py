"""Harbor's semantics as a table of examples. Sections are those of the reference on Harbor."""

from __future__ import annotations

from typing import Any

import pytest

from registry.retention.artifact import Artifact
from tests.unit.registry.retention.examples import (
    artifact,
    companion,
    decided,
    harbor,
    rules,
    selector,
    staying,
    tag,
)

UNTAGGED_TOO = '{"untagged":true}'
TAGGED_ONLY = '{"untagged":false}'
# One pushed each day: 1 a day ago, … 5 five days ago.
DAILY = [artifact(n, f"v{n}", pushed=n) for n in range(1, 6)]


TABLE: list[tuple[str, str, list[Artifact], list[dict[str, Any]], set[int]]] = [
    ("always keeps all that is selected", "4.4", DAILY, [harbor("always")], {1, 2, 3, 4, 5}),
    (
        "what no rule keeps goes",
        "4.4 step 4",
        DAILY,
        [harbor("always", None, selector("v1"))],
        {1},
    ),
    (
        "what is selected by none goes, also when none is selected at all",
        "4.4 step 4, 11.4 item 24",
        DAILY,
        [harbor("always", None, selector("release-*"))],
        set(),
    ),
    ("the K most recently pushed", "4.4", DAILY, [harbor("latestPushedK", 2)], {1, 2}),
    ("K counts among what is selected", "4.4", DAILY,
     [harbor("latestPushedK", 2, selector("v{3,4,5}"))], {3, 4}),
    ("K may be more than there is", "4.4", DAILY, [harbor("latestPushedK", 99)], {1, 2, 3, 4, 5}),
    ("K may be none", "4.4", DAILY, [harbor("latestPushedK", 0)], set()),
    (
        "the N most recently pulled",
        "4.4",
        [artifact(n, f"v{n}", pushed=9) for n in (1, 2)]
        + [artifact(3, tag("v3", pushed=20, pulled=1), pushed=20)],
        [harbor("latestPulledN", 1)],
        {3},
    ),
    ("pushed within N days, the edge included", "4.4", DAILY,
     [harbor("nDaysSinceLastPush", 3)], {1, 2, 3}),
    ("pulled within N days", "4.4",
     [artifact(1, tag("a", pushed=50, pulled=2), pushed=50),
      artifact(2, tag("b", pushed=50, pulled=40), pushed=50)],
     [harbor("nDaysSinceLastPull", 30)], {1}),
    ("the K latest active: by pull or push, whichever is later", "4.4",
     [artifact(1, tag("a", pushed=9, pulled=1), pushed=9), artifact(2, "b", pushed=2),
      artifact(3, "c", pushed=3)],
     [harbor("latestActiveK", 2)], {1, 2}),
    ("the last X days, by push", "4.4", DAILY, [harbor("lastXDays", 2)], {1, 2}),
    ("rules are OR'ed", "4.4 step 3", DAILY,
     [harbor("latestPushedK", 1), harbor("always", None, selector("v5"))], {1, 5}),
    ("selectors of one rule must all take it", "4.4",
     DAILY, [harbor("always", None, selector("v*"), selector("v2", "excludes"))], {1, 3, 4, 5}),
    ("one tag that matches keeps the digest with all its tags", "4.4 step 2",
     [artifact(1, "v1", "latest", "x"), artifact(2, "y")],
     [harbor("always", None, selector("latest"))], {1}),
    ("excludes takes what has any other tag", "4.4 step 2",
     [artifact(1, "v1", "dev"), artifact(2, "dev")],
     [harbor("always", None, selector("dev", "excludes"))], {1}),
    ("matches takes untagged artifacts by default", "4.4 extras",
     [artifact(1), artifact(2, "x")], [harbor("always", None, selector("v*"))], {1}),
    ("matches leaves untagged ones alone if told", "4.4 extras",
     [artifact(1), artifact(2, "v1")],
     [harbor("always", None, selector("**", extras=TAGGED_ONLY))], {2}),
    ("excludes takes untagged artifacts by default", "4.4 extras",
     [artifact(1), artifact(2, "dev")],
     [harbor("always", None, selector("dev", "excludes"))], {1}),
    ("excludes leaves untagged ones out if told", "4.4 extras",
     [artifact(1), artifact(2, "v1")],
     [harbor("always", None, selector("dev", "excludes", UNTAGGED_TOO))], {2}),
    ("the time of an artifact is the latest of its own and its tags'", "4.4 step 1",
     [artifact(1, tag("old", pushed=30), tag("new", pushed=1), pushed=40),
      artifact(2, "v2", pushed=2)],
     [harbor("latestPushedK", 1)], {1}),
    ("children without a tag are no candidates, and follow their index", "4.4 step 1",
     [artifact(1, parents=[3]), artifact(2, parents=[4]), artifact(3, "gone", pushed=9),
      artifact(4, "kept")],
     [harbor("latestPushedK", 1)], {2, 4}),
    ("a child with a tag of its own is a candidate", "4.4 step 1",
     [artifact(1, "amd64", pushed=1, parents=[2]), artifact(2, "multi", pushed=9)],
     [harbor("latestPushedK", 1)], {1}),
    ("a child of what stays is not deleted", "4.4 step 5",
     [artifact(1, "amd64", pushed=9, parents=[2]), artifact(2, "multi", pushed=1)],
     [harbor("latestPushedK", 1)], {1, 2}),
    ("accessories are no candidates: they do not count, and follow their subject", "4.4 step 1",
     [artifact(1, "v1", pushed=9), artifact(2, companion(1, ".sig"), pushed=1),
      artifact(3, "v3", pushed=5), artifact(4, companion(3, ".sig"), pushed=1)],
     [harbor("latestPushedK", 1)], {3, 4}),
    ("an immutable tag is not deleted", "4.4 step 5",
     [artifact(1, tag("v1", pushed=9, immutable="rule 1"), pushed=9), artifact(2, "v2")],
     [harbor("latestPushedK", 1)], {1, 2}),
    ("nothing was pulled: all are equal in Harbor, the latest push counts here", "4.4, deviation",
     DAILY, [harbor("latestPulledN", 2)], {1, 2}),
    ("HEAD is no pull in Harbor, and counts as use here", "4.6, deviation",
     [artifact(1, "v1", pushed=90, used_at=artifact(0, pushed=1).pushed_at),
      artifact(2, "v2", pushed=90)],
     [harbor("nDaysSinceLastPull", 30)], {1}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("artifacts", "said", "stays"),
    [row[2:] for row in TABLE],
    ids=[f"{name} [{section}]" for name, section, *_ in TABLE],
)
def test_harbor_keeps(
    artifacts: list[Artifact], said: list[dict[str, Any]], stays: set[int]
) -> None:
    assert staying(decided(artifacts, *said)) == stays


def test_what_cannot_be_in_force_changes_nothing() -> None:
    ruled = rules(
        harbor("always", repositories="app/**"), {**harbor("latestPushedK", 1), "disabled": True}
    )
    assert [rule.name for rule in ruled.applying_to("app/web").rules] == ["rule 1"]
    assert ruled.applying_to("other").rules == ()
    assert not ruled.applying_to("other").deletes_the_rest
    assert ruled.deletes_the_rest


def test_a_digest_goes_with_all_its_tags_or_stays_with_all() -> None:
    decision = decided([artifact(1, *(f"t{n}" for n in range(1000)))], harbor("latestPushedK", 0))
    (outcome,) = decision.going()
    assert len(outcome.tags) == 1000
    assert (decision.total, decision.retained, decision.deleted) == (1, 0, 1)
    assert (decision.tags, decision.deleted_tags, decision.deleted_bytes) == (1000, 1000, 10)
