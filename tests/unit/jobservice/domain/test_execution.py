from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jobservice.domain.execution import Execution, ExecutionStatus
from jobservice.domain.listing import AnyOf
from jobservice.domain.policy import TriggerKind


def running() -> Execution:
    return Execution(
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


def test_what_has_not_ended_is_in_progress() -> None:
    assert running().in_progress == 4


@pytest.mark.parametrize(
    ("values", "count"),
    [
        (("succeeded",), 3),
        (("failed",), 2),
        (("stopped",), 1),
        (("running",), 3),
        (("pending", "queued", "retrying"), 1),
        (("failed", "stopped"), None),
    ],
)
def test_counters_tell_how_many_tasks_have_a_status(
    values: tuple[str, ...], count: int | None
) -> None:
    condition = AnyOf(field="status", values=values)
    assert running().matching((condition,), running=3) == count


def test_counters_know_nothing_of_other_conditions() -> None:
    condition = AnyOf(field="id", values=())
    assert running().matching((condition,), running=3) is None
