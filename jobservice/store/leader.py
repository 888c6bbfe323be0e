"""The table jobservice.leader: who may do what only one may do."""

from __future__ import annotations

from dataclasses import dataclass

from database.pool import Connection

LEASE_SECONDS = 15.0
MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leadership:
    """A role that is held; every write of the role compares both numbers."""

    worker_id: int
    fence: int


ACQUIRE = """
INSERT INTO jobservice.leader AS held (role, worker_id, fence, lease_until)
VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 second')
ON CONFLICT (role) DO UPDATE
SET fence = CASE WHEN held.worker_id = $2 AND held.lease_until > clock_timestamp()
                 THEN held.fence ELSE held.fence + 1 END,
    worker_id = $2, lease_until = excluded.lease_until
WHERE held.worker_id = $2 OR held.lease_until <= clock_timestamp()
RETURNING fence
"""


async def acquire(
    connection: Connection, worker_id: int, *, lease_seconds: float = LEASE_SECONDS
) -> Leadership | None:
    """Become the leader or stay it; None while somebody else is."""
    fence = await connection.fetchval(ACQUIRE, MAINTENANCE, worker_id, lease_seconds)
    return None if fence is None else Leadership(worker_id=worker_id, fence=fence)


RELEASE = """
UPDATE jobservice.leader SET lease_until = clock_timestamp()
WHERE role = $1 AND worker_id = $2 AND fence = $3
"""


async def release(connection: Connection, leadership: Leadership) -> None:
    """Let somebody else lead from now on."""
    await connection.execute(RELEASE, MAINTENANCE, leadership.worker_id, leadership.fence)


# To stand in the WHERE of what only the leader may write; $1 and $2 are worker id and fence.
IS_LEADER = f"""EXISTS (
    SELECT FROM jobservice.leader
    WHERE role = '{MAINTENANCE}' AND worker_id = $1 AND fence = $2
      AND lease_until > clock_timestamp())"""

HOLDS = f"SELECT {IS_LEADER}"


async def holds(connection: Connection, leadership: Leadership) -> bool:
    """Say whether a role is still held under its fence."""
    answer: bool = await connection.fetchval(HOLDS, leadership.worker_id, leadership.fence)
    return answer
