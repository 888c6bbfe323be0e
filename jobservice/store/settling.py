"""The end of a try: the task's row, its execution's counters and the bell, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from database.pool import Connection
from jobservice.domain.task import Claimed, TaskError, TaskStatus
from jobservice.store.executions import ENDED_CHANNEL

SETTLE_FINAL = f"""
WITH settled AS (
    UPDATE jobservice.tasks
    SET status = $4, error = $5, result = $6, lease_until = NULL, ended_at = clock_timestamp()
    WHERE id = $1 AND delivery = $2 AND fence = $3 AND status = 'running'
    RETURNING id, execution_id, is_plan, status
), forgotten AS (
    DELETE FROM jobservice.task_progress USING settled WHERE task_id = settled.id
)
UPDATE jobservice.executions AS execution
SET succeeded = execution.succeeded + (NOT is_plan AND settled.status = 'succeeded')::integer,
    failed = execution.failed + (NOT is_plan AND settled.status = 'failed')::integer,
    stopped = execution.stopped + (NOT is_plan AND settled.status = 'stopped')::integer,
    unchanged = execution.unchanged + $7::boolean::integer,
    plan_status = CASE WHEN is_plan THEN settled.status ELSE execution.plan_status END,
    status_text = coalesce($8, execution.status_text)
FROM settled WHERE execution.id = settled.execution_id
RETURNING CASE WHEN ended_at IS NOT NULL
               THEN pg_notify('{ENDED_CHANNEL}', execution.id::text) END
"""  # noqa: S608  constants of this module


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """How a task ended. `status_text` goes to its execution; None leaves that as it is."""

    status: TaskStatus
    error: TaskError | None = None
    result: dict[str, Any] | None = None
    unchanged: bool = False
    status_text: str | None = None


async def settle(connection: Connection, task: Claimed, final: Final) -> bool:
    """Write how a task ended; False, and nothing is written, if it is no longer ours."""
    row = await connection.fetchrow(
        SETTLE_FINAL,
        task.id,
        task.delivery,
        task.fence,
        final.status,
        final.error.to_json() if final.error else None,
        final.result,
        final.unchanged,
        final.status_text,
    )
    return row is not None


SETTLE_AGAIN = """
WITH released AS (
    UPDATE jobservice.tasks
    SET status = $4, error = coalesce($5, error), attempt = attempt + $6, lease_until = NULL,
        not_before = clock_timestamp() + $7 * interval '1 second'
    WHERE id = $1 AND delivery = $2 AND fence = $3 AND status = 'running'
    RETURNING id
), forgotten AS (
    DELETE FROM jobservice.task_progress USING released WHERE task_id = released.id
)
SELECT id FROM released
"""


async def retry(
    connection: Connection, task: Claimed, *, error: TaskError, delay_seconds: float
) -> bool:
    """Let a failed task try again after a delay; False if it is no longer ours."""
    released = await connection.fetchval(
        SETTLE_AGAIN,
        task.id,
        task.delivery,
        task.fence,
        TaskStatus.RETRYING,
        error.to_json(),
        1,
        delay_seconds,
    )
    return released is not None


async def snooze(
    connection: Connection, task: Claimed, *, reason: TaskError | None, delay_seconds: float
) -> bool:
    """Give a task back without spending an attempt; False if it is no longer ours."""
    released = await connection.fetchval(
        SETTLE_AGAIN,
        task.id,
        task.delivery,
        task.fence,
        TaskStatus.PENDING,
        reason.to_json() if reason else None,
        0,
        delay_seconds,
    )
    return released is not None
