"""Holding a task: claim it, keep the lease alive, make sure that it is still ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection
from jobservice.domain.task import Claimed

LEASE_SECONDS = 25.0

CLAIM = """
WITH claimed AS (
    UPDATE jobservice.tasks
    SET status = 'running', fence = fence + 1, worker_id = $3,
        lease_until = clock_timestamp() + $4 * interval '1 second',
        started_at = coalesce(started_at, clock_timestamp()), not_before = NULL
    WHERE id = $1 AND delivery = $2 AND status = 'queued' AND job_type = ANY($5::text[])
    RETURNING *
), started AS (
    UPDATE jobservice.executions AS execution SET started_at = clock_timestamp()
    FROM claimed WHERE execution.id = claimed.execution_id AND execution.started_at IS NULL
)
SELECT claimed.id, claimed.execution_id, claimed.job_type, claimed.is_plan, claimed.parameters,
       execution.policy_snapshot AS snapshot, claimed.checkpoint, claimed.delivery,
       claimed.attempt, claimed.fence,
       claimed.stop_requested_at IS NOT NULL OR execution.stop_requested_at IS NOT NULL
           AS stop_requested
FROM claimed JOIN jobservice.executions AS execution ON execution.id = claimed.execution_id
"""


async def claim(
    connection: Connection,
    task_id: int,
    delivery: int,
    *,
    worker_id: int,
    job_types: Sequence[str],
    lease_seconds: float,
) -> Claimed | None:
    """Take a queued task; None when it is somebody else's, stopped, or of a type we do not know."""
    row = await connection.fetchrow(
        CLAIM, task_id, delivery, worker_id, lease_seconds, list(job_types)
    )
    return Claimed(**row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewed:
    """A task that is still ours."""

    task_id: int
    fence: int
    stop_requested: bool


RENEW = """
WITH held AS (
    SELECT task.id FROM jobservice.tasks AS task
    JOIN unnest($1::bigint[], $2::bigint[]) AS ours (id, fence) USING (id, fence)
    WHERE task.status = 'running'
    ORDER BY task.id FOR NO KEY UPDATE OF task
)
UPDATE jobservice.tasks AS task
SET lease_until = clock_timestamp() + $3 * interval '1 second'
FROM held WHERE task.id = held.id
RETURNING task.id, task.fence, task.stop_requested_at IS NOT NULL AS stop_requested
"""


async def renew(
    connection: Connection, held: Sequence[tuple[int, int]], *, lease_seconds: float
) -> tuple[Renewed, ...]:
    """Extend the leases of (task id, fence) pairs; what is missing from the answer is lost."""
    rows = await connection.fetch(
        RENEW, [task_id for task_id, _ in held], [fence for _, fence in held], lease_seconds
    )
    return tuple(
        Renewed(task_id=row["id"], fence=row["fence"], stop_requested=row["stop_requested"])
        for row in rows
    )
