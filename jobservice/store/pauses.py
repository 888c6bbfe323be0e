"""The table jobservice.pauses."""

from __future__ import annotations

from typing import Any

from database.pool import Connection
from jobservice.domain.pause import Held, Pause, PauseScope

ADD = """
INSERT INTO jobservice.pauses (scope, key, paused_by, comment) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
RETURNING true
"""


async def add(connection: Connection, held: Held, *, paused_by: str, comment: str) -> bool:
    """Hold something back; False, and the first pause stands, if it is held back already."""
    added = await connection.fetchval(ADD, held.scope, held.key, paused_by, comment)
    return added is not None


REMOVE = "DELETE FROM jobservice.pauses WHERE scope = $1 AND key = $2 RETURNING true"


async def remove(connection: Connection, held: Held) -> bool:
    """Let something go on; False if it was not held back."""
    return await connection.fetchval(REMOVE, held.scope, held.key) is not None


SELECT = """
SELECT scope, key, paused_by, paused_at, comment, CASE
    WHEN scope = 'policy' THEN
        (SELECT policy.name FROM jobservice.policies AS policy WHERE policy.id::text = key)
    WHEN scope = 'destination' AND key = '0' THEN 'Local'
    WHEN scope = 'destination' THEN
        (SELECT endpoint.name FROM jobservice.endpoints AS endpoint WHERE endpoint.id::text = key)
END AS name
FROM jobservice.pauses
"""
ALL = SELECT + " ORDER BY scope, key"


async def listed(connection: Connection) -> tuple[Pause, ...]:
    """Return every pause."""
    return tuple(_pause(row) for row in await connection.fetch(ALL))


OF_SCHEDULES = SELECT + " WHERE scope IN ('schedules', 'everything') ORDER BY paused_at LIMIT 1"


async def of_schedules(connection: Connection) -> Pause | None:
    """Return what keeps schedules from starting anything; None if nothing does."""
    row = await connection.fetchrow(OF_SCHEDULES)
    return _pause(row) if row else None


REMOVE_JOB_TYPES = """
DELETE FROM jobservice.pauses WHERE scope = 'job_type' RETURNING key
"""


async def remove_job_types(connection: Connection) -> tuple[str, ...]:
    """Let every job type go on; return those that were held back."""
    return tuple(row["key"] for row in await connection.fetch(REMOVE_JOB_TYPES))


def _pause(row: Any) -> Pause:
    return Pause(
        held=Held(scope=PauseScope(row["scope"]), key=row["key"]),
        paused_by=row["paused_by"],
        paused_at=row["paused_at"],
        comment=row["comment"],
        name=row["name"] or "",
    )


OF_TASK = (
    SELECT
    + """
WHERE scope = 'everything' OR (scope = 'job_type' AND key = $1)
   OR (scope = 'policy' AND key = $2::bigint::text)
   OR (scope = 'destination' AND key = $3::bigint::text)
ORDER BY paused_at
"""
)


async def of_task(
    connection: Connection, *, job_type: str, policy_id: int | None, destination_id: int | None
) -> tuple[Pause, ...]:
    """Return what holds back a task of this type, policy and destination."""
    rows = await connection.fetch(OF_TASK, job_type, policy_id, destination_id)
    return tuple(_pause(row) for row in rows)
