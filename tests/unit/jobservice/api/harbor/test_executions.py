from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from jobservice.api.harbor import executions
from jobservice.domain.execution import Account, Effort, Execution, ExecutionStatus, Outcome, Pace
from jobservice.domain.listing import AnyOf
from jobservice.domain.policy import TriggerKind
from jobservice.domain.task import Progress, Task, TaskError, TaskStatus
from jobservice.errors import InvalidRequest

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
STARTED = datetime(2026, 1, 2, tzinfo=UTC)

PACE = Pace(bytes_done=7, bytes_total=None, bytes_per_second=None, seconds_left=None)


def execution(policy_id: int | None = 7) -> Execution:
    return Execution(
        id=3,
        vendor_type="REPLICATION",
        policy_id=policy_id,
        trigger=TriggerKind.MANUAL,
        status=ExecutionStatus.RUNNING,
        status_text="",
        total=4,
        succeeded=1,
        failed=1,
        stopped=0,
        unchanged=1,
        created_at=CREATED,
        started_at=STARTED,
        ended_at=None,
        stop_requested_at=None,
    )


def task(parameters: dict[str, Any], *, started_at: datetime | None) -> Task:
    ends = {"source_repository": "library/app", "destination_repository": "mirror/app"}
    return Task(
        id=9,
        execution_id=3,
        job_type="replication.transfer",
        status=TaskStatus.RETRYING,
        parameters=ends | parameters,
        attempt=1,
        rescues=0,
        reason="",
        error=None,
        result=None,
        progress=None,
        not_before=None,
        worker_id=None,
        created_at=CREATED,
        started_at=started_at,
        ended_at=None,
    )


def test_an_execution_is_told_in_harbors_words() -> None:
    shown = executions.execution(execution())
    assert (shown.status, shown.policy_id, shown.in_progress) == ("InProgress", 7, 2)
    assert shown.transship is None


def test_an_execution_whose_policy_is_gone_has_policy_zero() -> None:
    assert executions.execution(execution(policy_id=None)).policy_id == 0


def test_what_an_execution_took_is_ours() -> None:
    effort = Effort(bytes_copied=1, bytes_saved=2, requests=3)
    shown = executions.execution(
        execution(), Account(effort=effort, pace=PACE, outcomes=())
    ).transship
    assert shown is not None
    assert (shown.unchanged, shown.bytes_copied, shown.bytes_saved, shown.requests) == (1, 1, 2, 3)


def test_what_was_left_out_is_told_with_its_reason() -> None:
    filtered = Outcome(reason="the tag filters leave the tag out", count=5, examples=(("a:1", ""),))
    effort = Effort(bytes_copied=0, bytes_saved=0, requests=0)
    shown = executions.execution(
        execution(), Account(effort=effort, pace=PACE, outcomes=(filtered,))
    ).transship
    assert shown is not None
    (left_out,) = shown.left_out
    assert (left_out.reason, left_out.count, left_out.examples) == (filtered.reason, 5, ["a:1"])


def test_a_task_counts_its_tags() -> None:
    shown = executions.task(task({"tags": ["1", "2"]}, started_at=STARTED))
    assert shown.src_resource == "library/app [2 item(s) in total]"
    assert (shown.status, shown.job_id, shown.start_time) == ("Pending", "9", STARTED)


def test_a_task_without_tags_is_one_item() -> None:
    shown = executions.task(task({}, started_at=None))
    assert shown.dst_resource == "mirror/app [1 item(s) in total]"
    assert shown.start_time == CREATED


def test_a_failed_task_says_why() -> None:
    why = TaskError(message="no such blob", kind="NotFound", side="source")
    found = replace(task({}, started_at=STARTED), status=TaskStatus.FAILED, error=why)
    shown = executions.task(found).transship
    assert shown is not None
    assert shown.error is not None
    assert shown.error.model_dump() == why.to_json()
    assert executions.task(task({}, started_at=STARTED)).transship is None


def test_a_running_task_says_how_far_it_is_and_when_it_will_be_there() -> None:
    known = Progress(bytes_done=40, bytes_total=100, items_done=1, bytes_per_second=20)
    shown = executions.task(replace(task({}, started_at=STARTED), progress=known)).transship
    assert shown is not None
    assert shown.progress is not None
    assert (shown.progress.bytes_done, shown.progress.bytes_total) == (40, 100)
    assert shown.progress.seconds_left == 3


def test_what_was_left_out_has_its_reasons() -> None:
    effort = Effort(bytes_copied=0, bytes_saved=0, requests=1)
    skipped = Outcome(reason="too shallow", count=2, examples=(("app", ""), ("web", "")))
    shown = executions.execution(
        execution(), Account(effort=effort, pace=PACE, outcomes=(skipped,))
    )
    assert shown.transship is not None
    [left_out] = shown.transship.left_out
    assert (left_out.reason, left_out.count) == ("too shallow", 2)
    assert left_out.examples == ["app", "web"]


def test_filters_are_translated() -> None:
    assert executions.execution_conditions(None, None) == ()
    assert executions.task_conditions(None, "image") == ()
    assert executions.execution_conditions("InProgress", "manual") == (
        AnyOf(field="status", values=("pending", "running")),
        AnyOf(field="trigger", values=("manual",)),
    )
    assert executions.task_conditions("Pending", "chart") == (
        AnyOf(field="status", values=("pending", "queued", "retrying")),
        AnyOf(field="id", values=()),
    )


@pytest.mark.parametrize(("status", "trigger"), [("Done", None), (None, "never")])
def test_a_word_that_nobody_knows_is_refused(status: str | None, trigger: str | None) -> None:
    with pytest.raises(InvalidRequest, match="is not known; known are"):
        executions.execution_conditions(status, trigger)
