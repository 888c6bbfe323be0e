"""Stopping: what has not started ends at once, what runs is told.

Lock order everywhere in this package: tasks (by id), then their execution.
"""

from __future__ import annotations

from typing import Any

from database.pool import Connection

STOP_CHANNEL = "jobservice_stop"

# Why a task is stopped; of an UPDATE of jobservice.tasks AS task.
STOPPED_BY = (
    "CASE WHEN task.stop_requested_by = '' THEN 'stopped on request'"
    " ELSE 'stopped by ' || task.stop_requested_by END"
)

REQUEST = """
UPDATE jobservice.executions
SET stop_requested_at = CASE WHEN ended_at IS NULL THEN coalesce(stop_requested_at, now())
                             ELSE stop_requested_at END,
    stop_requested_by = CASE WHEN ended_at IS NULL AND stop_requested_at IS NULL THEN $2
                             ELSE stop_requested_by END
WHERE id = $1
RETURNING ended_at IS NULL
"""


async def request(connection: Connection, execution_id: int, by: str) -> bool | None:
    """Note the wish and whose it is.

    True if there is something to stop, False if it ended, None if it is unknown.
    """
    unfinished: bool | None = await connection.fetchval(REQUEST, execution_id, by)
    return unfinished


STOP_UNSTARTED = f"""
WITH wish AS (
    SELECT stop_requested_by AS by,
           CASE WHEN stop_requested_by = '' THEN 'stopped on request'
                ELSE 'stopped by ' || stop_requested_by END AS reason
    FROM jobservice.executions WHERE id = $1
), unfinished AS MATERIALIZED (
    SELECT id, status FROM jobservice.tasks
    WHERE execution_id = $1
      AND status IN ('pending', 'queued', 'retrying', 'running')
    ORDER BY id FOR NO KEY UPDATE
), told AS (
    UPDATE jobservice.tasks AS task
    SET stop_requested_at = coalesce(task.stop_requested_at, now()),
        stop_requested_by = CASE WHEN task.stop_requested_at IS NULL THEN wish.by
                                 ELSE task.stop_requested_by END
    FROM unfinished, wish WHERE task.id = unfinished.id AND unfinished.status = 'running'
), stopped AS (
    UPDATE jobservice.tasks AS task
    SET status = 'stopped', reason = wish.reason, ended_at = now(), stop_requested_at = now(),
        stop_requested_by = wish.by
    FROM unfinished, wish WHERE task.id = unfinished.id AND unfinished.status <> 'running'
    RETURNING task.is_plan
), counted AS (
    SELECT count(*) FILTER (WHERE NOT is_plan) AS tasks, count(*) FILTER (WHERE is_plan) AS plans
    FROM stopped
)
UPDATE jobservice.executions AS execution
SET stopped = execution.stopped + counted.tasks,
    plan_status = CASE WHEN counted.plans > 0 THEN 'stopped' ELSE execution.plan_status END
FROM counted
WHERE execution.id = $1 AND execution.stop_requested_at IS NOT NULL
RETURNING pg_notify('{STOP_CHANNEL}', execution.id::text)
"""  # noqa: S608  constants of this module


async def stop_unstarted(connection: Connection, execution_id: int) -> None:
    """Stop what does not run yet and tell the workers of the rest; may be repeated."""
    await connection.execute(STOP_UNSTARTED, execution_id)


OVERDUE = """
SELECT DISTINCT task.execution_id
FROM jobservice.executions AS execution
JOIN jobservice.tasks AS task ON task.execution_id = execution.id
WHERE execution.ended_at IS NULL AND execution.stop_requested_at IS NOT NULL
  AND (task.status IN ('pending', 'queued', 'retrying')
       OR (task.status = 'running' AND task.stop_requested_at IS NULL))
LIMIT 100
"""


async def overdue(connection: Connection) -> tuple[int, ...]:
    """Return executions whose stop was accepted and not carried out, because its process died."""
    return tuple(row["execution_id"] for row in await connection.fetch(OVERDUE))


STOP_REQUESTED = """
SELECT id FROM jobservice.tasks WHERE id = ANY($1::bigint[]) AND stop_requested_at IS NOT NULL
"""


async def requested_of(connection: Connection, task_ids: list[int]) -> tuple[int, ...]:
    """Return those of these tasks that are to stop."""
    return tuple(row["id"] for row in await connection.fetch(STOP_REQUESTED, task_ids))


STOP_TASKS = f"""
WITH unfinished AS MATERIALIZED (
    SELECT id, status FROM jobservice.tasks
    WHERE id = ANY($1::bigint[]) AND status IN ('pending', 'queued', 'retrying', 'running')
    ORDER BY id FOR NO KEY UPDATE
), told AS (
    UPDATE jobservice.tasks AS task
    SET stop_requested_at = now(), stop_requested_by = $2
    FROM unfinished
    WHERE task.id = unfinished.id AND unfinished.status = 'running'
      AND task.stop_requested_at IS NULL
    RETURNING task.id
), stopped AS (
    UPDATE jobservice.tasks AS task
    SET status = 'stopped', reason = 'stopped by ' || $2, ended_at = now(),
        stop_requested_at = now(), stop_requested_by = $2
    FROM unfinished WHERE task.id = unfinished.id AND unfinished.status <> 'running'
    RETURNING task.execution_id, task.is_plan
), counted AS (
    SELECT execution_id, count(*) FILTER (WHERE NOT is_plan) AS tasks,
           count(*) FILTER (WHERE is_plan) AS plans
    FROM stopped GROUP BY execution_id
), locked AS MATERIALIZED (
    SELECT id FROM jobservice.executions WHERE id IN (SELECT execution_id FROM counted)
    ORDER BY id FOR NO KEY UPDATE
), rolled_up AS (
    UPDATE jobservice.executions AS execution
    SET stopped = execution.stopped + counted.tasks,
        plan_status = CASE WHEN counted.plans > 0 THEN 'stopped' ELSE execution.plan_status END
    FROM locked JOIN counted ON counted.execution_id = locked.id WHERE execution.id = locked.id
)
SELECT (SELECT count(*) FROM stopped)::integer AS stopped, count(*)::integer AS told,
       CASE WHEN count(*) > 0 THEN pg_notify('{STOP_CHANNEL}', '') END
FROM told
"""  # noqa: S608  constants of this module


async def stop_tasks(connection: Connection, task_ids: list[int], *, by: str) -> tuple[int, int]:
    """Stop what does not run yet, tell the workers of the rest; return both counts."""
    row: Any = await connection.fetchrow(STOP_TASKS, task_ids, by)
    return row["stopped"], row["told"]


# An index for each state; a batch at a time, and what is stopped is not found again.
UNFINISHED = """
SELECT id FROM (
    (SELECT id FROM jobservice.tasks
     WHERE status = 'pending' AND ($1 = '' OR job_type = $1) LIMIT $2)
    UNION ALL
    (SELECT id FROM jobservice.tasks
     WHERE status = 'queued' AND ($1 = '' OR job_type = $1) LIMIT $2)
    UNION ALL
    (SELECT id FROM jobservice.tasks
     WHERE status = 'retrying' AND ($1 = '' OR job_type = $1) LIMIT $2)
    UNION ALL
    (SELECT id FROM jobservice.tasks
     WHERE status = 'running' AND $3 AND stop_requested_at IS NULL
       AND ($1 = '' OR job_type = $1) LIMIT $2)
) AS found LIMIT $2
"""


async def unfinished_of_type(
    connection: Connection, job_type: str, *, limit: int, running: bool
) -> list[int]:
    """Return tasks of a type, empty for every type, that may be stopped; running ones if asked."""
    rows = await connection.fetch(UNFINISHED, job_type, limit, running)
    return [row["id"] for row in rows]


RUNNING = """
SELECT id FROM jobservice.tasks WHERE status = 'running' AND stop_requested_at IS NULL LIMIT $1
"""


async def running(connection: Connection, *, limit: int) -> list[int]:
    """Return tasks that run and were not asked to stop."""
    return [row["id"] for row in await connection.fetch(RUNNING, limit)]
