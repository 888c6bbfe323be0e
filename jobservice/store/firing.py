"""The table jobservice.schedule_fires, and a schedule's step from one fire time to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from database.pool import Connection
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.schedule import Fire, FireOutcome, Planned, Schedule
from jobservice.store import listing as listing_sql
from jobservice.store import schedules

# What became of a fire time is kept for so long, and for so many of them: a clock that is ahead
# must not sweep away what keeps it from firing twice when it is set back.
KEPT = timedelta(days=90)
KEPT_COUNT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A schedule that is due, and since when: a place in the order of a round."""

    schedule_id: int
    due_at: datetime


DUE = """
SELECT id AS schedule_id, next_fire_at AS due_at
FROM jobservice.schedules
WHERE next_fire_at <= $1 AND vendor_type = ANY($2)
      AND ($3::timestamptz IS NULL OR (next_fire_at, id) > ($3, $4))
ORDER BY next_fire_at, id
LIMIT $5
"""


async def due(
    connection: Connection, now: datetime, *, types: Sequence[str], after: Due | None, limit: int
) -> tuple[Due, ...]:
    """Return schedules of vendor types that are due, longest first, after a place; unlocked."""
    place = (after.due_at, after.schedule_id) if after else (None, 0)
    rows = await connection.fetch(DUE, now, types, *place, limit)
    return tuple(Due(**row) for row in rows)


LOCK_DUE = (
    schedules.SELECT
    + """
WHERE id = $1 AND next_fire_at <= $2
FOR NO KEY UPDATE OF schedules SKIP LOCKED
"""
)


async def lock_due(connection: Connection, schedule_id: int, now: datetime) -> Schedule | None:
    """Return a schedule that is due, locked; None when it is not, or when somebody has it."""
    row = await connection.fetchrow(LOCK_DUE, schedule_id, now)
    return schedules.schedule_of(row) if row else None


AHEAD = (
    schedules.SELECT
    + """
WHERE enabled AND (next_fire_at > $1 OR next_fire_at IS NULL) AND vendor_type = ANY($2)
      AND greatest(last_fire_at, updated_at) > $1 + interval '1 minute'
FOR NO KEY UPDATE OF schedules SKIP LOCKED
"""
)


async def lock_ahead(
    connection: Connection, now: datetime, *, types: Sequence[str]
) -> tuple[Schedule, ...]:
    """Return schedules whose next fire time was found while the clock was ahead, locked."""
    rows = await connection.fetch(AHEAD, now, types)
    return tuple(schedules.schedule_of(row) for row in rows)


CLAIM = """
INSERT INTO jobservice.schedule_fires (schedule_id, fire_time, fired_at, outcome, detail)
VALUES ($1, $2, $3, 'refused', 'not told')
ON CONFLICT (schedule_id, fire_time) DO NOTHING
RETURNING true
"""


async def claim(
    connection: Connection, schedule_id: int, fire_time: datetime, now: datetime
) -> bool:
    """Take a fire time for this transaction; return whether nobody ever had it."""
    return bool(await connection.fetchval(CLAIM, schedule_id, fire_time, now))


FINISH = f"""
WITH told AS (
    UPDATE jobservice.schedule_fires
    SET outcome = $3, execution_id = $4, detail = $5
    WHERE schedule_id = $1 AND fire_time = $2
), marked AS (
    UPDATE jobservice.executions SET schedule_id = $1 WHERE id = $4
), swept AS (
    DELETE FROM jobservice.schedule_fires
    WHERE schedule_id = $1 AND fire_time < $6 AND fire_time <= (
        SELECT fire_time FROM jobservice.schedule_fires
        WHERE schedule_id = $1 ORDER BY fire_time DESC OFFSET {KEPT_COUNT} LIMIT 1)
)
UPDATE jobservice.schedules SET last_fire_at = $7 WHERE id = $1
"""  # noqa: S608  a constant of this module


async def finish(connection: Connection, schedule_id: int, fire: Fire) -> None:
    """Write down what became of a fire time that was claimed, and whose its execution is.

    What became of fire times of long ago is forgotten.
    """
    await connection.execute(
        FINISH,
        schedule_id,
        fire.fire_time,
        fire.outcome,
        fire.execution_id,
        fire.detail,
        fire.fired_at - KEPT,
        fire.fired_at,
    )


ADVANCE = "UPDATE jobservice.schedules SET next_fire_time = $2, next_fire_at = $3 WHERE id = $1"


async def advance(connection: Connection, schedule_id: int, planned: Planned | None) -> None:
    """Put a schedule's next fire time in place."""
    fire_time, due_at = (planned.fire_time, planned.due_at) if planned else (None, None)
    await connection.execute(ADVANCE, schedule_id, fire_time, due_at)


NEXT_AT = """
SELECT min(next_fire_at)
FROM jobservice.schedules
WHERE next_fire_at > $1 AND vendor_type = ANY($2)
"""


async def next_at(
    connection: Connection, now: datetime, *, types: Sequence[str]
) -> datetime | None:
    """Return when the next schedule of vendor types is due after a moment."""
    found: datetime | None = await connection.fetchval(NEXT_AT, now, types)
    return found


COLUMNS = {"id": "id", "schedule_id": "schedule_id", "fire_time": "fire_time"}
SELECT = """
SELECT fire_time, fired_at, outcome, execution_id, detail
FROM jobservice.schedule_fires
"""
TABLE = listing_sql.Table(select=SELECT, source="jobservice.schedule_fires", columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[Fire]:
    """Return one page of what became of fire times; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _fire)


def _fire(row: Any) -> Fire:
    return Fire(**{**dict(row), "outcome": FireOutcome(row["outcome"])})
