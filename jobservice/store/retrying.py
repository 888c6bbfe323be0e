"""What failed or was stopped tries again: same row, same execution, which runs again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from database.pool import Connection
from jobservice.errors import CannotRetry
from jobservice.store.executions import DISPATCH_CHANNEL

# A stop that is still under way comes first: it would take the task with it.
RETRY = f"""
WITH ended AS MATERIALIZED (
    SELECT task.id, task.status FROM jobservice.tasks AS task
    JOIN jobservice.executions AS execution ON execution.id = task.execution_id
    WHERE task.id = ANY($1::bigint[]) AND task.status IN ('failed', 'stopped')
      AND (execution.stop_requested_at IS NULL OR execution.ended_at IS NOT NULL)
    ORDER BY task.id FOR NO KEY UPDATE OF task
), again AS (
    UPDATE jobservice.tasks AS task
    SET status = 'pending', reason = 'retried by ' || $2, attempt = 1, rescues = 0, error = NULL,
        result = NULL, ended_at = NULL, not_before = NULL, stop_requested_at = NULL,
        stop_requested_by = ''
    FROM ended WHERE task.id = ended.id
    RETURNING task.execution_id, task.is_plan, ended.status AS was
), counted AS (
    SELECT execution_id, count(*) FILTER (WHERE was = 'failed' AND NOT is_plan) AS failed,
           count(*) FILTER (WHERE was = 'stopped' AND NOT is_plan) AS stopped,
           count(*) FILTER (WHERE is_plan) AS plans
    FROM again GROUP BY execution_id
), locked AS MATERIALIZED (
    SELECT id FROM jobservice.executions WHERE id IN (SELECT execution_id FROM counted)
    ORDER BY id FOR NO KEY UPDATE
), rolled_back AS (
    UPDATE jobservice.executions AS execution
    SET failed = execution.failed - counted.failed, stopped = execution.stopped - counted.stopped,
        plan_status = CASE WHEN counted.plans > 0 THEN NULL ELSE execution.plan_status END,
        status_text = CASE WHEN counted.plans > 0 THEN '' ELSE execution.status_text END,
        stop_requested_at = NULL, stop_requested_by = ''
    FROM locked JOIN counted ON counted.execution_id = locked.id WHERE execution.id = locked.id
)
SELECT count(*)::integer, pg_notify('{DISPATCH_CHANNEL}', '') FROM again
"""  # noqa: S608  constants of this module


async def retry(connection: Connection, task_ids: Sequence[int], *, by: str) -> int:
    """Let tasks of one execution try again; return how many do.

    Raise CannotRetry when the execution may not run again now.
    """
    try:
        retried: int = await connection.fetchval(RETRY, list(task_ids), by)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "executions_single_active":
            raise CannotRetry(
                "its policy runs one execution at a time and has an unfinished one"
            ) from error
        raise CannotRetry("another task does the same at the moment") from error
    return retried


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which ended tasks; what is None says nothing."""

    statuses: tuple[str, ...] = ("failed",)
    job_type: str | None = None
    policy_id: int | None = None
    execution_id: int | None = None


ENDED = """
SELECT task.execution_id, array_agg(task.id ORDER BY task.id) AS ids
FROM (
    SELECT task.execution_id, task.id FROM jobservice.tasks AS task
    JOIN jobservice.executions AS execution ON execution.id = task.execution_id
    WHERE task.status = ANY($1::text[]) AND task.status IN ('failed', 'stopped')
      AND ($2::text IS NULL OR task.job_type = $2)
      AND ($3::bigint IS NULL OR execution.policy_id = $3)
      AND ($4::bigint IS NULL OR task.execution_id = $4)
      AND (task.execution_id, task.id) > ($5::bigint, $6::bigint)
    ORDER BY task.execution_id, task.id LIMIT $7
) AS task
GROUP BY task.execution_id ORDER BY task.execution_id
"""


async def matching(
    connection: Connection, wanted: Matching, *, after: tuple[int, int], limit: int
) -> list[tuple[int, list[int]]]:
    """Return the next ended tasks after (execution, task), by execution."""
    rows: list[Any] = await connection.fetch(
        ENDED,
        list(wanted.statuses),
        wanted.job_type,
        wanted.policy_id,
        wanted.execution_id,
        *after,
        limit,
    )
    return [(row["execution_id"], row["ids"]) for row in rows]
