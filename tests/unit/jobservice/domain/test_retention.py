from __future__ import annotations

import pytest

from jobservice.domain.retention import (
    Approval,
    RetentionPolicy,
    RetentionRun,
    RetentionSettings,
    RetentionSnapshot,
)
from registry.retention.rule_set import RuleSet
from tests.unit.jobservice.domain.verdicts import DAY, verdict

OWN = {"action": "delete", "unless": {"newest": {"count": 3}}}
POLICY = RetentionPolicy(
    id=5,
    settings=RetentionSettings(
        project_id=3, rules=RuleSet.parse([], [OWN], "tag"), cron="0 0 3 * * *", guard_percent=20
    ),
    place="team",
    created_at=DAY,
    updated_at=DAY,
)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_run_follows_what_it_kept(*, dry_run: bool) -> None:
    snapshot = RetentionSnapshot.of(POLICY, dry_run=dry_run, is_guarded=True)
    read = RetentionSnapshot.from_json(snapshot.to_json())
    assert read.rules.own == snapshot.rules.own
    assert read.to_json() == snapshot.to_json()
    assert (read.policy_id, read.place, read.project_id) == (5, "team", 3)
    # Who deletes nothing need not ask.
    assert read.is_guarded is not dry_run


def test_what_is_tried_is_a_dry_run_of_no_policy() -> None:
    snapshot = RetentionSnapshot.tried(POLICY.settings, "team", None)
    assert (snapshot.policy_id, snapshot.dry_run, snapshot.is_guarded) == (0, True, False)


def test_a_run_waits_for_an_answer_and_no_longer() -> None:
    waiting = RetentionRun(execution_id=1, approval=Approval.WAITING)
    assert waiting.is_waiting
    assert not RetentionRun(execution_id=1, approval=Approval.APPROVED).is_waiting
    assert not RetentionRun(execution_id=1).is_waiting


def test_a_verdict_says_what_is_done() -> None:
    assert (verdict(1).action, verdict(1).tag) == ("delete", None)
    assert verdict(1, goes=False).action == "keep"
