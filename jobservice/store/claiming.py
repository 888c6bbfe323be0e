"""Holding a task: claim it, keep the lease alive, make sure that it is still ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection
from jobservice.domain.task import Claimed
from jobservice.store.limits import NAMED

LEASE_SECONDS = 25.0

# A type that this version does not know waits a moment, so that it comes by another worker.
UNKNOWN_TYPE_SECONDS = 2.0

# Paused, or its registry postponed, after it was dispatched.
WHY_HELD = f"""
    SELECT 'paused by ' || paused_by || coalesce(': ' || nullif(comment, ''), '') AS why
    FROM jobservice.pauses
    WHERE scope = 'everything' OR (scope = 'job_type' AND key = task.job_type)
       OR (scope = 'policy' AND key = execution.policy_id::text)
       OR (scope = 'destination' AND key = execution.destination_id::text)
    UNION ALL
    SELECT 'registry ' || called.name || ' asked for a pause: ' || known.postponed_because
    FROM {NAMED}
    WHERE known.endpoint_id = ANY (execution.endpoint_ids)
      AND known.postponed_until > clock_timestamp()
    LIMIT 1
"""  # noqa: S608  a constant

CLAIM = f"""
WITH asked AS (
    SELECT * FROM unnest($1::bigint[], $2::integer[]) AS asked (id, delivery)
), waiting AS MATERIALIZED (
    SELECT task.id, task.job_type = ANY($5::text[]) AS is_known, held.why
    FROM jobservice.tasks AS task JOIN asked USING (id, delivery)
    JOIN jobservice.executions AS execution ON execution.id = task.execution_id
    LEFT JOIN LATERAL ({WHY_HELD}) AS held ON true
    WHERE task.status = 'queued'
    ORDER BY task.id FOR NO KEY UPDATE OF task
), claimed AS (
    UPDATE jobservice.tasks AS task
    SET status = 'running', reason = $6, fence = fence + 1, worker_id = $3,
        lease_until = clock_timestamp() + $4 * interval '1 second',
        started_at = coalesce(started_at, clock_timestamp()), not_before = NULL
    FROM waiting WHERE task.id = waiting.id AND waiting.is_known AND waiting.why IS NULL
    RETURNING task.*
), given_back AS (
    UPDATE jobservice.tasks AS task
    SET status = 'pending',
        reason = coalesce(
            waiting.why, 'worker ' || $3::bigint || ' does not know job type ' || task.job_type),
        not_before = CASE WHEN waiting.why IS NULL THEN
            clock_timestamp() + interval '{UNKNOWN_TYPE_SECONDS} seconds' END
    FROM waiting
    WHERE task.id = waiting.id AND (waiting.why IS NOT NULL OR NOT waiting.is_known)
), unstarted AS MATERIALIZED (
    SELECT id FROM jobservice.executions
    WHERE id IN (SELECT execution_id FROM claimed) AND started_at IS NULL
    ORDER BY id FOR NO KEY UPDATE
), started AS (
    UPDATE jobservice.executions AS execution SET started_at = clock_timestamp()
    FROM unstarted WHERE execution.id = unstarted.id
)
SELECT claimed.id, claimed.execution_id, claimed.job_type, claimed.is_plan, claimed.parameters,
       execution.policy_snapshot AS snapshot, claimed.checkpoint, claimed.delivery,
       claimed.attempt, claimed.fence,
       claimed.stop_requested_at IS NOT NULL OR execution.stop_requested_at IS NOT NULL
           AS stop_requested
FROM claimed JOIN jobservice.executions AS execution ON execution.id = claimed.execution_id
"""  # noqa: S608  constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who claims: a worker, what it can do, and for how long it holds a task at first."""

    worker_id: int
    host: str
    job_types: Sequence[str]
    lease_seconds: float = LEASE_SECONDS

    @property
    def name(self) -> str:
        """What people know it by."""
        return f"worker {self.worker_id} ({self.host})"


async def claim(
    connection: Connection, claimant: Claimant, deliveries: Sequence[tuple[int, int]]
) -> tuple[Claimed, ...]:
    """Take queued tasks, each as (task id, delivery); those missing from the answer are not ours.

    They are somebody else's, stopped, or pending again: of a type we do not know, or held back by
    a pause or a registry's wish since they were dispatched.
    """
    rows = await connection.fetch(
        CLAIM,
        [task_id for task_id, _ in deliveries],
        [delivery for _, delivery in deliveries],
        claimant.worker_id,
        claimant.lease_seconds,
        list(claimant.job_types),
        claimant.name,
    )
    return tuple(Claimed(**row) for row in rows)


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
