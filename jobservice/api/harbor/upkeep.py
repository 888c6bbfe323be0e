"""Upkeep jobs and their schedules in Harbor's words, which its tags `purge` and `gc` share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from jobservice.api.models import upkeep as models
from jobservice.domain import schedule as schedules
from jobservice.domain.execution import Execution, ExecutionStatus
from jobservice.domain.policy import TriggerKind
from jobservice.domain.schedule import Schedule, ScheduleOptions, Timing
from jobservice.errors import InvalidRequest

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


def run(execution: Execution, parameters: Mapping[str, Any]) -> models.ExecHistory:
    """Show a run."""
    is_manual = execution.trigger is TriggerKind.MANUAL
    return models.ExecHistory(
        id=execution.id,
        job_name=execution.vendor_type,
        job_kind=KIND[execution.trigger],
        job_parameters=json.dumps(parameters),
        schedule=models.ScheduleObj(type=MANUAL if is_manual else "Schedule"),
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
        job_name=found.vendor.type,
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


def kind(body: models.Schedule) -> str | None:
    """Return the type of a schedule; None where it has none."""
    return body.schedule.type if body.schedule else None


def problems(body: models.Schedule) -> Iterator[str]:
    """Yield what is wrong with when a schedule is to run, a sentence each."""
    asked = kind(body)
    if asked not in TYPES:
        told = f"{asked!r} is not known" if asked else "is missing"
        yield f"schedule.type: {told}; known are {', '.join(TYPES)}"
    elif asked not in {MANUAL, NONE}:
        for name, problem in schedules.problems(_cron(body), ScheduleOptions()):
            yield f"schedule.{name}: {problem}"


def timing(body: models.Schedule) -> Timing:
    """Read when runs are to start by themselves, in which `problems` found nothing."""
    return schedules.timing(_cron(body), ScheduleOptions())


def want(*problems: Iterator[str]) -> None:
    """Raise InvalidRequest with every problem, if there is one."""
    if found := list(chain(*problems)):
        raise InvalidRequest(found)


def overlooked(body: models.Schedule, known: tuple[str, ...]) -> list[str]:
    """Return the parameters that have no effect."""
    return [f"parameters.{name}" for name in body.parameters or {} if name not in known]


def _cron(body: models.Schedule) -> str:
    given = body.schedule.cron if body.schedule else None
    return given or USUAL.get(kind(body) or "", "")
