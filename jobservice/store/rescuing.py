"""Tasks whose worker died: back to pending, or given up after too many rescues."""

from __future__ import annotations

from dataclasses import dataclass

from database.pool import Connection
from jobservice.domain.task import RESCUE_LIMIT, TaskError
from jobservice.store.leader import IS_LEADER, Leadership
from jobservice.store.stopping import STOPPED_BY

# Why its lease ran out, as far as the worker's row tells: it is gone, it was silent, or it forgot.
SILENCE = """CASE
    WHEN worker.id IS NULL THEN 'worker ' || task.worker_id || ' is gone'
    WHEN worker.heartbeat_at < task.lease_until
        THEN format('worker %s (%s) was silent for %s s', worker.id, worker.host,
                    round(extract(epoch FROM clock_timestamp() - worker.heartbeat_at)))
    ELSE format('worker %s (%s) let its lease run out', worker.id, worker.host) END"""

RESCUE = f"""
WITH expired AS MATERIALIZED (
    SELECT task.id, CASE WHEN stop_requested_at IS NOT NULL THEN 'stopped'
                    WHEN rescues + 1 >= {RESCUE_LIMIT} THEN 'failed'
                    ELSE 'pending' END AS verdict,
           {SILENCE} AS silence
    FROM jobservice.tasks AS task
    LEFT JOIN jobservice.workers AS worker ON worker.id = task.worker_id
    WHERE task.status = 'running' AND task.lease_until < clock_timestamp() AND {IS_LEADER}
    ORDER BY task.id LIMIT 1000 FOR NO KEY UPDATE OF task SKIP LOCKED
), rescued AS (
    UPDATE jobservice.tasks AS task
    SET status = verdict, reason = CASE WHEN verdict = 'stopped' THEN {STOPPED_BY}
                                        ELSE silence END,
        rescues = rescues + 1, lease_until = NULL,
        error = CASE WHEN verdict = 'failed' THEN $3 ELSE error END,
        ended_at = CASE WHEN verdict <> 'pending' THEN clock_timestamp() END
    FROM expired WHERE task.id = expired.id
    RETURNING task.id, task.execution_id, task.is_plan, task.status, task.delivery, task.worker_id
), forgotten AS (
    DELETE FROM jobservice.task_progress USING rescued WHERE task_id = rescued.id
), counted AS (
    SELECT execution_id,
           count(*) FILTER (WHERE status = 'failed' AND NOT is_plan) AS failed,
           count(*) FILTER (WHERE status = 'stopped' AND NOT is_plan) AS stopped,
           max(status) FILTER (WHERE status <> 'pending' AND is_plan) AS plan_status
    FROM rescued GROUP BY execution_id
), ended AS (
    UPDATE jobservice.executions AS execution
    SET failed = execution.failed + counted.failed, stopped = execution.stopped + counted.stopped,
        plan_status = coalesce(counted.plan_status, execution.plan_status),
        status_text = CASE WHEN counted.plan_status = 'failed' THEN $3 ->> 'message'
                           ELSE execution.status_text END
    FROM counted
    WHERE execution.id = counted.execution_id
      AND (counted.failed > 0 OR counted.stopped > 0 OR counted.plan_status IS NOT NULL)
)
SELECT id AS task_id, execution_id, delivery, status, worker_id FROM rescued
"""  # noqa: S608  constants of this module

GIVEN_UP = TaskError(message=f"its worker died {RESCUE_LIMIT} times", kind="WorkerDied")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """A task taken from a worker that let its lease run out."""

    task_id: int
    execution_id: int
    delivery: int
    status: str
    worker_id: int


async def rescue(connection: Connection, leadership: Leadership) -> tuple[Rescued, ...]:
    """Take expired tasks back: to pending, stopped if that was asked, failed at the limit."""
    rows = await connection.fetch(
        RESCUE, leadership.worker_id, leadership.fence, GIVEN_UP.to_json()
    )
    return tuple(Rescued(**row) for row in rows)
