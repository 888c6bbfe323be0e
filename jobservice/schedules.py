"""Schedules: setting up, changing and removing a vendor's, and looking at all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection, Database
from jobservice.domain import schedule as domain
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.schedule import Fire, Held, Schedule, ScheduleOptions, Vendor
from jobservice.errors import NotFound
from jobservice.store import firing
from jobservice.store import schedules as rows
from jobservice.store.schedules import NewSchedule


async def put(connection: Connection, new: NewSchedule) -> int:
    """Set a vendor's schedule, the first or another, and return its id.

    Its next fire time stays as it is unless when it fires has changed: saving a policy again just
    before it is due loses no run.
    """
    before = await rows.of_vendor_locked(connection, new.vendor)
    if before is not None and (before.timing, before.enabled) == (new.timing, new.enabled):
        return await rows.put(connection, new, before.planned)
    planned = None
    if new.enabled:
        now = await rows.now(connection)
        planned = domain.plan(new.timing, new.vendor, after=now)
    return await rows.put(connection, new, planned)


async def remove(connection: Connection, vendor: Vendor) -> None:
    """Remove a vendor's schedule and its history; nothing happens where there is none."""
    await rows.delete(connection, vendor)


async def of_vendor(connection: Connection, vendor: Vendor) -> Schedule | None:
    """Return a vendor's schedule; None where there is none."""
    return await rows.of_vendor(connection, vendor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """One page of schedules as of `now`; `held` says who pauses all of them."""

    schedules: Rows[Schedule]
    held: Held | None
    now: datetime


async def page(database: Database, listing: Listing) -> Overview:
    """Return one page of schedules; fields are named as in store.schedules.COLUMNS."""
    async with database.connection() as connection:
        return Overview(
            schedules=await rows.page(connection, listing),
            held=await rows.held(connection),
            now=await rows.now(connection),
        )


async def held(database: Database) -> Held | None:
    """Return who pauses all schedules; None when they fire."""
    async with database.connection() as connection:
        return await rows.held(connection)


async def fires(database: Database, schedule_id: int, listing: Listing) -> Rows[Fire]:
    """Return what became of a schedule's fire times, the latest first; raise NotFound."""
    async with database.connection() as connection:
        if await rows.get(connection, schedule_id) is None:
            raise NotFound("schedule", schedule_id)
        return await firing.history(
            connection, schedule_id, limit=listing.page_size, offset=listing.offset
        )


async def preview(database: Database, cron: str, options: ScheduleOptions) -> tuple[datetime, ...]:
    """Return the next five fire times of an expression; raise InvalidRequest."""
    timing = domain.timing(cron, options)
    async with database.connection() as connection:
        return timing.preview(await rows.now(connection))
