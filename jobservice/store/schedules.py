"""The table jobservice.schedules: what is set up, what it shows, and when it succeeded last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from database.pool import Connection
from jobservice.domain import schedule as schedules
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.schedule import (
    Misfire,
    Planned,
    Schedule,
    ScheduleOptions,
    Timing,
    Vendor,
)
from jobservice.store import listing as listing_sql

CHANNEL = "jobservice_schedules"

COLUMNS = {
    "id": "id",
    "vendor_type": "upper(vendor_type)",
    "vendor_id": "vendor_id",
    "cron": "cron",
    "enabled": "enabled",
    "creation_time": "created_at",
    "update_time": "updated_at",
}

SELECT = """
SELECT id, vendor_type, vendor_id, cron, time_zone, jitter_seconds, misfire, ends_at, enabled,
       parameters, next_fire_time, next_fire_at, last_fire_at, created_at, updated_at,
       (SELECT succeeded_at FROM jobservice.schedule_successes WHERE schedule_id = schedules.id)
           AS last_success_at
FROM jobservice.schedules
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """What a vendor's schedule is to be; `parameters` are the vendor's own."""

    vendor: Vendor
    timing: Timing
    enabled: bool = True
    parameters: Mapping[str, Any] = field(default_factory=dict)


TABLE = listing_sql.Table(select=SELECT, source="jobservice.schedules", columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[Schedule]:
    """Return one page of schedules; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, schedule_of)


async def every(connection: Connection) -> tuple[Schedule, ...]:
    """Return all schedules that are enabled, for what measures them."""
    rows = await connection.fetch(SELECT + "WHERE enabled ORDER BY id")
    return tuple(schedule_of(row) for row in rows)


async def get(connection: Connection, schedule_id: int) -> Schedule | None:
    """Return a schedule."""
    row = await connection.fetchrow(SELECT + "WHERE id = $1", schedule_id)
    return schedule_of(row) if row else None


OF_VENDOR = SELECT + "WHERE vendor_type = $1 AND vendor_id = $2"
OF_VENDOR_LOCKED = OF_VENDOR + " FOR NO KEY UPDATE OF schedules"


async def of_vendor(connection: Connection, vendor: Vendor) -> Schedule | None:
    """Return a vendor's schedule."""
    row = await connection.fetchrow(OF_VENDOR, vendor.type, vendor.id)
    return schedule_of(row) if row else None


async def of_vendor_locked(connection: Connection, vendor: Vendor) -> Schedule | None:
    """Return a vendor's schedule; until the transaction ends nobody else fires or changes it."""
    row = await connection.fetchrow(OF_VENDOR_LOCKED, vendor.type, vendor.id)
    return schedule_of(row) if row else None


UPSERT = f"""
WITH written AS (
    INSERT INTO jobservice.schedules
        (vendor_type, vendor_id, cron, time_zone, jitter_seconds, misfire, ends_at, enabled,
         parameters, next_fire_time, next_fire_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (vendor_type, vendor_id) DO UPDATE
        SET cron = excluded.cron, time_zone = excluded.time_zone,
            jitter_seconds = excluded.jitter_seconds, misfire = excluded.misfire,
            ends_at = excluded.ends_at, enabled = excluded.enabled,
            parameters = excluded.parameters, next_fire_time = excluded.next_fire_time,
            next_fire_at = excluded.next_fire_at, updated_at = now()
    RETURNING id
)
SELECT id, pg_notify('{CHANNEL}', '') FROM written
"""  # noqa: S608  a constant of this module


async def put(connection: Connection, new: NewSchedule, planned: Planned | None) -> int:
    """Set a vendor's schedule, ring for the scheduler; return the schedule's id."""
    when = new.timing
    schedule_id: int = await connection.fetchval(
        UPSERT,
        new.vendor.type,
        new.vendor.id,
        when.cron.text,
        when.zone.key,
        when.jitter_seconds,
        when.misfire,
        when.ends_at,
        new.enabled,
        dict(new.parameters),
        planned.fire_time if planned else None,
        planned.due_at if planned else None,
    )
    return schedule_id


DELETE = "DELETE FROM jobservice.schedules WHERE vendor_type = $1 AND vendor_id = $2"


async def delete(connection: Connection, vendor: Vendor) -> None:
    """Remove a vendor's schedule and its history, if there is one."""
    await connection.execute(DELETE, vendor.type, vendor.id)


NOW = "SELECT now()"


async def now(connection: Connection) -> datetime:
    """Return when this transaction began by Postgres' clock, the only one that decides."""
    moment: datetime = await connection.fetchval(NOW)
    return moment


def schedule_of(row: Any) -> Schedule:
    """Return the schedule in a row of SELECT."""
    options = ScheduleOptions(
        time_zone=row["time_zone"],
        jitter_seconds=row["jitter_seconds"],
        misfire=Misfire(row["misfire"]),
        ends_at=row["ends_at"],
    )
    planned = None
    if row["next_fire_time"] is not None:
        planned = Planned(fire_time=row["next_fire_time"], due_at=row["next_fire_at"])
    return Schedule(
        id=row["id"],
        vendor=Vendor(type=row["vendor_type"], id=row["vendor_id"]),
        timing=schedules.timing(row["cron"], options),
        enabled=row["enabled"],
        parameters=row["parameters"],
        planned=planned,
        last_fire_at=row["last_fire_at"],
        last_success_at=row["last_success_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
