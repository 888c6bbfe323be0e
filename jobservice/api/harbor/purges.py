"""Purges of the audit log in Harbor's words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jobservice.api.models import purge as models
from jobservice.domain import purge as domain
from jobservice.domain import schedule as schedules
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.policy import TriggerKind
from jobservice.domain.purge import PurgeParameters
from jobservice.domain.schedule import Schedule, ScheduleOptions, Timing
from jobservice.errors import InvalidRequest
from jobservice.purges import PurgeRun

STATUS: Final[Mapping[ExecutionStatus, str]] = {
    ExecutionStatus.PENDING: "Pending",
    ExecutionStatus.RUNNING: "Running",
    ExecutionStatus.SUCCEEDED: "Success",
    ExecutionStatus.FAILED: "Error",
    ExecutionStatus.STOPPED: "Stopped",
}
KIND: Final[Mapping[TriggerKind, str]] = {
    TriggerKind.MANUAL: "MANUAL",
    TriggerKind.SCHEDULED: "SCHEDULE",
    TriggerKind.EVENT_BASED: "EVENT",
}
MANUAL: Final = "Manual"
NONE: Final = "None"
# What a type comes to that says no cron of its own; the others need one.
USUAL: Final = {"Hourly": "0 0 * * * *", "Daily": "0 0 0 * * *", "Weekly": "0 0 0 * * 0"}
TYPES: Final = (*USUAL, "Custom", "Schedule", MANUAL, NONE)
KNOWN: Final = (domain.RETENTION, domain.EVENT_TYPES, domain.OPERATIONS, domain.DRY_RUN)


def run(found: PurgeRun) -> models.ExecHistory:
    """Show a purge."""
    execution = found.execution
    return models.ExecHistory(
        id=execution.id,
        job_name=domain.VENDOR_TYPE,
        job_kind=KIND[execution.trigger],
        job_parameters=json.dumps(found.parameters.to_json()),
        schedule=models.ScheduleObj(
            type=MANUAL if execution.trigger is TriggerKind.MANUAL else "Schedule"
        ),
        job_status=STATUS[execution.status],
        deleted=False,
        creation_time=execution.created_at,
        update_time=execution.ended_at or execution.started_at or execution.created_at,
    )


def scheduled(found: Schedule | None) -> models.ExecHistory:
    """Show the schedule; nothing where there is none."""
    if found is None:
        return models.ExecHistory()
    text = found.timing.cron.text
    kinds = {cron: kind for kind, cron in USUAL.items()}
    return models.ExecHistory(
        id=found.id,
        job_name=domain.VENDOR_TYPE,
        job_kind=KIND[TriggerKind.SCHEDULED],
        job_parameters=json.dumps(dict(found.parameters)),
        schedule=models.ScheduleObj(
            type=kinds.get(text, "Custom"),
            cron=text,
            next_scheduled_time=found.planned.fire_time if found.planned else None,
        ),
        deleted=False,
        creation_time=found.created_at,
        update_time=found.updated_at,
    )


def parameters(body: models.Schedule) -> PurgeParameters:
    """Read what is to go; raise InvalidRequest with everything that is wrong."""
    given = body.parameters or {}
    kind = body.schedule.type if body.schedule else None
    if kind == NONE:
        return PurgeParameters(retention_hours=1)
    found = [*_kind_problems(kind), *domain.problems(given)]
    if found:
        raise InvalidRequest(found)
    return PurgeParameters.of(given)


def overlooked(body: models.Schedule) -> list[str]:
    """Return the parameters that have no effect."""
    return [f"parameters.{name}" for name in body.parameters or {} if name not in KNOWN]


def timing(body: models.Schedule) -> Timing | None:
    """Read when purges are to run; None for never. Raise InvalidRequest."""
    asked: Any = body.schedule
    if asked.type == NONE:
        return None
    text = asked.cron or USUAL.get(asked.type, "")
    found = [
        f"schedule.cron: {problem}" for _, problem in schedules.problems(text, ScheduleOptions())
    ]
    if found:
        raise InvalidRequest(found)
    return schedules.timing(text, ScheduleOptions())


def _kind_problems(kind: str | None) -> Iterator[str]:
    if kind not in TYPES:
        yield f"schedule.type: {kind!r} is not known; known are {', '.join(TYPES)}"
