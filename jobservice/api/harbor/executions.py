"""Executions and tasks in Harbor's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final

from jobservice.api.models import replication as models
from jobservice.domain import pace
from jobservice.domain.execution import Account, Execution, ExecutionStatus
from jobservice.domain.listing import AnyOf, Condition
from jobservice.domain.policy import TriggerKind
from jobservice.domain.task import Progress, Task, TaskStatus
from jobservice.errors import InvalidRequest

EXECUTION_STATUS: Final[Mapping[ExecutionStatus, str]] = {
    ExecutionStatus.PENDING: "InProgress",
    ExecutionStatus.RUNNING: "InProgress",
    ExecutionStatus.SUCCEEDED: "Succeed",
    ExecutionStatus.FAILED: "Failed",
    ExecutionStatus.STOPPED: "Stopped",
}
TASK_STATUS: Final[Mapping[TaskStatus, str]] = {
    TaskStatus.PENDING: "Pending",
    TaskStatus.QUEUED: "Pending",
    TaskStatus.RETRYING: "Pending",
    TaskStatus.RUNNING: "InProgress",
    TaskStatus.SUCCEEDED: "Succeed",
    TaskStatus.FAILED: "Failed",
    TaskStatus.STOPPED: "Stopped",
}
OPERATION = "copy"
RESOURCE_TYPE = "image"


def execution(found: Execution, account: Account | None = None) -> models.ReplicationExecution:
    """Show an execution, and its account if that is at hand; without a policy it has policy 0."""
    return models.ReplicationExecution(
        id=found.id,
        policy_id=found.policy_id or 0,
        status=EXECUTION_STATUS[found.status],
        trigger=found.trigger.value,
        start_time=found.created_at,
        end_time=found.ended_at,
        status_text=found.status_text,
        total=found.total,
        failed=found.failed,
        succeed=found.succeeded,
        in_progress=found.in_progress,
        stopped=found.stopped,
        transship=_account(found, account) if account else None,
    )


def _account(found: Execution, account: Account) -> models.TransshipExecution:
    return models.TransshipExecution(
        unchanged=found.unchanged,
        **asdict(account.effort),
        **asdict(account.pace),
        left_out=[
            models.LeftOut(
                reason=outcome.reason,
                count=outcome.count,
                examples=[subject for subject, _ in outcome.examples],
            )
            for outcome in account.outcomes
        ],
    )


def task(found: Task) -> models.ReplicationTask:
    """Show a transfer task."""
    items = max(1, len(found.parameters.get("tags", ())))
    return models.ReplicationTask(
        id=found.id,
        execution_id=found.execution_id,
        status=TASK_STATUS[found.status],
        job_id=str(found.id),
        operation=OPERATION,
        resource_type=RESOURCE_TYPE,
        src_resource=_resource(found.parameters["source_repository"], items),
        dst_resource=_resource(found.parameters["destination_repository"], items),
        start_time=found.started_at or found.created_at,
        end_time=found.ended_at,
        transship=_transship(found),
    )


def _transship(found: Task) -> models.TransshipTask | None:
    if found.error is None and found.progress is None:
        return None
    return models.TransshipTask(
        error=models.TransshipTaskError(**found.error.to_json()) if found.error else None,
        progress=_progress(found.progress) if found.progress else None,
    )


def _progress(known: Progress) -> models.TransshipProgress:
    left = pace.seconds_left(known.bytes_done, known.bytes_total, known.bytes_per_second)
    return models.TransshipProgress(**asdict(known), seconds_left=left)


def execution_conditions(status: str | None, trigger: str | None) -> tuple[Condition, ...]:
    """Read the filters of a list of executions; raise InvalidRequest for unknown words."""
    conditions: list[Condition] = []
    if status:
        values = tuple(ours.value for ours, shown in EXECUTION_STATUS.items() if shown == status)
        conditions.append(_any_of("status", status, values, EXECUTION_STATUS.values()))
    if trigger:
        known = [kind.value for kind in TriggerKind]
        values = (trigger,) if trigger in known else ()
        conditions.append(_any_of("trigger", trigger, values, known))
    return tuple(conditions)


def task_conditions(status: str | None, resource_type: str | None) -> tuple[Condition, ...]:
    """Read the filters of a list of tasks; raise InvalidRequest for unknown words."""
    conditions: list[Condition] = []
    if status:
        values = tuple(ours.value for ours, shown in TASK_STATUS.items() if shown == status)
        conditions.append(_any_of("status", status, values, TASK_STATUS.values()))
    if resource_type and resource_type != RESOURCE_TYPE:
        conditions.append(AnyOf(field="id", values=()))
    return tuple(conditions)


def _any_of(field: str, asked: str, values: tuple[str, ...], known: Iterable[str]) -> AnyOf:
    if not values:
        names = ", ".join(dict.fromkeys(known))
        raise InvalidRequest([f"{field}: {asked!r} is not known; known are {names}"])
    return AnyOf(field=field, values=values)


def _resource(repository: str, items: int) -> str:
    """Harbor's words; a destination that could not be named has none."""
    return f"{repository} [{items} item(s) in total]" if repository else ""
