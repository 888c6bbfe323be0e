"""Schedules: setting up, changing and removing a vendor's, and looking at all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection, Database
from jobservice.domain import schedule as domain
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.pause import Pause
from jobservice.domain.schedule import Fire, Schedule, ScheduleOptions, Timing, Vendor
from jobservice.errors import NotFound
from jobservice.store import firing, pauses
from jobservice.store import schedules as rows
from jobservice.store.schedules import NewSchedule


async def put(connection: Connection, new: NewSchedule) -> int:
    """Set a vendor's schedule, the first or another, and return its id.

    Its next fire time stays as it is unless when it fires has changed: saving a policy again just
    before it is due loses no run. Without any change nothing is written.
    """
    before = await rows.of_vendor_locked(connection, new.vendor)
    if before is not None and (before.timing, before.enabled) == (new.timing, new.enabled):
        if before.parameters == new.parameters:
            return before.id
        return await rows.put(connection, new, before.planned)
    planned = None
    if new.enabled:
        now = await rows.now(connection)
        planned = domain.plan(new.timing, new.vendor, after=now)
    return await rows.put(connection, new, planned)


async def lock(connection: Connection, vendor: Vendor) -> None:
    """Keep a vendor's schedule from firing and changing until the transaction ends.

    Whoever changes what a schedule belongs to takes it first, as the scheduler does.
    """
    await rows.of_vendor_locked(connection, vendor)


async def remove(connection: Connection, vendor: Vendor) -> None:
    """Remove a vendor's schedule and its history; nothing happens where there is none."""
    await rows.delete(connection, vendor)


async def of_vendor(connection: Connection, vendor: Vendor) -> Schedule | None:
    """Return a vendor's schedule; None where there is none."""
    return await rows.of_vendor(connection, vendor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One page of schedules as of `now`; `pause` is what holds all of them back."""

    schedules: Rows[Schedule]
    pause: Pause | None
    now: datetime


async def page(database: Database, listing: Listing) -> Overview:
    """Return one page of schedules; fields are named as in store.schedules.COLUMNS."""
    async with database.connection() as connection:
        return Overview(
            schedules=await rows.page(connection, listing),
            pause=await pauses.of_schedules(connection),
            now=await rows.now(connection),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A schedule as of `now`; `pause` is what holds all of them back."""

    schedule: Schedule
    pause: Pause | None
    now: datetime


async def get(database: Database, schedule_id: int) -> View:
    """Return a schedule; raise NotFound."""
    async with database.connection() as connection:
        found = await rows.get(connection, schedule_id)
        if found is None:
            raise NotFound("schedule", schedule_id)
        return View(
            schedule=found,
            pause=await pauses.of_schedules(connection),
            now=await rows.now(connection),
        )


async def pause(database: Database) -> Pause | None:
    """Return what holds all schedules back; None when they fire."""
    async with database.connection() as connection:
        return await pauses.of_schedules(connection)


async def fires(database: Database, schedule_id: int, listing: Listing) -> Rows[Fire]:
    """Return one page of what became of a schedule's fire times; raise NotFound."""
    async with database.connection() as connection:
        if await rows.get(connection, schedule_id) is None:
            raise NotFound("schedule", schedule_id)
        return await firing.page(connection, listing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """An expression in its zone and its next fire times."""

    timing: Timing
    times: tuple[datetime, ...]


async def preview(database: Database, cron: str, options: ScheduleOptions) -> Preview:
    """Return the next five fire times of an expression; raise InvalidRequest."""
    timing = domain.timing(cron, options)
    async with database.connection() as connection:
        now = await rows.now(connection)
    return Preview(timing=timing, times=timing.preview(now))
