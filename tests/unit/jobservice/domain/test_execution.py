from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jobservice.domain.execution import Effort, Execution, ExecutionStatus, Pace, Running
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


EFFORT = Effort(bytes_copied=100, bytes_saved=0, requests=3)


def moving(**changes: Any) -> Running:
    known = Running(
        running=4, bytes_done=50, bytes_total=80, is_total_known=True, bytes_per_second=10
    )
    return replace(known, **changes)


def test_a_pace_adds_what_ended_to_what_runs() -> None:
    execution = replace(running(), plan_ended=True)
    assert Pace.of(execution, EFFORT, moving()) == Pace(
        bytes_done=150, bytes_total=180, bytes_per_second=10, seconds_left=3
    )


@pytest.mark.parametrize(
    ("plan_ended", "changes"),
    [(False, {}), (True, {"running": 3}), (True, {"is_total_known": False})],
)
def test_a_total_is_not_told_before_it_is_known(
    *, plan_ended: bool, changes: dict[str, Any]
) -> None:
    found = Pace.of(replace(running(), plan_ended=plan_ended), EFFORT, moving(**changes))
    assert (found.bytes_done, found.bytes_total, found.seconds_left) == (150, None, None)
