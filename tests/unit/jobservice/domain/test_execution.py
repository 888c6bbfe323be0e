from __future__ import annotations

from datetime import UTC, datetime

from jobservice.domain.execution import Execution, ExecutionStatus
from jobservice.domain.policy import TriggerKind


def test_what_has_not_ended_is_in_progress() -> None:
    execution = Execution(
        id=1,
        vendor_type="replication",
        policy_id=1,
        trigger=TriggerKind.MANUAL,
        status=ExecutionStatus.RUNNING,
        status_text="",
        total=10,
        succeeded=3,
        failed=2,
        stopped=1,
        unchanged=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        started_at=None,
        ended_at=None,
        stop_requested_at=None,
    )
    assert execution.in_progress == 4
