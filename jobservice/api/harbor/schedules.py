"""Schedules in Harbor's words: its vendor types are written large."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jobservice.api.models import schedule as models
from jobservice.domain import schedule as rules
from jobservice.domain.listing import AnyOf, Between, Condition, Equals, Listing
from jobservice.domain.pause import Pause
from jobservice.domain.schedule import Fire, Misfire, Schedule, ScheduleOptions
from jobservice.errors import InvalidRequest
from jobservice.schedules import Preview


def asked(listing: Listing) -> Listing:
    """Read a list's vendor types, which Harbor writes large."""
    return replace(listing, conditions=tuple(map(_condition, listing.conditions)))


def _condition(condition: Condition) -> Condition:
    match condition:
        case Equals(field="vendor_type", value=value):
            return replace(condition, value=str(value).upper())
        case AnyOf(field="vendor_type", values=values):
            return replace(condition, values=tuple(str(value).upper() for value in values))
        case Between(field="vendor_type"):
            raise InvalidRequest(["q: vendor_type is a word, a range of them is nothing"])
        case _:
            return condition


def schedule(stored: Schedule, pause: Pause | None, *, now: datetime) -> models.ScheduleTask:
    """Show a schedule as of `now`."""
    return models.ScheduleTask(
        id=stored.id,
        vendor_type=stored.vendor.type.upper(),
        vendor_id=stored.vendor.id,
        cron=stored.timing.cron.text,
        update_time=stored.updated_at,
        transship=_details(stored, pause, now=now),
    )


def _details(
    stored: Schedule, pause: Pause | None, *, now: datetime
) -> models.TransshipScheduleTask:
    timing = stored.timing
    return models.TransshipScheduleTask(
        time_zone=timing.zone.key,
        jitter_seconds=timing.jitter_seconds,
        misfire=timing.misfire.value,
        ends_at=timing.ends_at,
        enabled=stored.enabled,
        pause=_pause(pause) if pause else None,
        next_fire_at=stored.planned.due_at if stored.planned else None,
        next_runs=list(timing.preview(now)) if stored.enabled else [],
        last_fire_at=stored.last_fire_at,
        last_success_at=stored.last_success_at,
        is_overdue=rules.is_overdue(stored, now=now),
    )


def _pause(pause: Pause) -> models.TransshipPause:
    return models.TransshipPause(
        paused_by=pause.paused_by, paused_at=pause.paused_at, comment=pause.comment
    )


def options(said: ScheduleOptions) -> models.TransshipSchedule:
    """Show what was said beside a cron expression."""
    return models.TransshipSchedule(
        time_zone=said.time_zone,
        jitter_seconds=said.jitter_seconds,
        misfire=said.misfire.value,
        ends_at=said.ends_at,
    )


def schedule_options(body: models.TransshipSchedule) -> ScheduleOptions:
    """Read what is said beside a cron expression."""
    return ScheduleOptions(
        time_zone=body.time_zone,
        jitter_seconds=body.jitter_seconds,
        misfire=Misfire(body.misfire),
        ends_at=body.ends_at,
    )


def preview(found: Preview) -> models.SchedulePreview:
    """Show the next fire times of an expression."""
    zone = found.timing.zone
    return models.SchedulePreview(
        cron=found.timing.cron.text,
        time_zone=zone.key,
        next_runs=list(found.times),
        wall_times=[f"{time.astimezone(zone):%a %Y-%m-%d %H:%M %Z}" for time in found.times],
    )


def fire(found: Fire) -> models.ScheduleFire:
    """Show what became of a fire time."""
    return models.ScheduleFire(
        fire_time=found.fire_time,
        fired_at=found.fired_at,
        outcome=found.outcome.value,
        execution_id=found.execution_id,
        detail=found.detail,
    )
