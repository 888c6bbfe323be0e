"""Forgetting: executions with all that belongs to them, logs, dead workers; a little at a time.

Nothing here waits for a lock or makes others wait: what somebody holds is left for the next round.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from database.pool import Connection

EXECUTIONS_AT_ONCE = 200
TASKS_AT_ONCE = 1000
DECISIONS_AT_ONCE = 10_000
CHUNKS_AT_ONCE = 500
SILENT_WORKER_DAYS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """What history is kept: executions per policy and by age, logs by age and in all.

    0 is no limit. The newest execution of a policy stays, however old it is.
    """

    executions: int
    days: int
    log_days: int
    log_bytes: int


# A policy's executions, or those of another vendor: Harbor's GC, its retention rules.
DOOMED = f"""
SELECT id FROM (
    SELECT id, ended_at, swept_at,
           row_number() OVER (PARTITION BY vendor_type, policy_id, vendor_id ORDER BY id DESC)
               AS place
    FROM jobservice.executions
) AS execution
WHERE ended_at IS NOT NULL
  AND (swept_at IS NOT NULL
       OR ($1 > 0 AND place > $1)
       OR ($2 > 0 AND place > 1 AND ended_at < now() - $2 * interval '1 day'))
ORDER BY id LIMIT {EXECUTIONS_AT_ONCE}
"""  # noqa: S608  a constant of this module


async def doomed(connection: Connection, keep: Keep) -> tuple[int, ...]:
    """Return the oldest executions that are to be forgotten, some of them, all of them ended."""
    rows = await connection.fetch(DOOMED, keep.executions, keep.days)
    return tuple(row["id"] for row in rows)


# Logs and progress go with their task; events know no foreign keys. A run of retention that nobody
# approved has a decision for each artifact that it would have taken.
FORGET_TASKS = f"""
WITH execution AS MATERIALIZED (
    SELECT id FROM jobservice.executions
    WHERE id = $1 AND ended_at IS NOT NULL FOR UPDATE SKIP LOCKED
), doomed AS MATERIALIZED (
    SELECT task.id FROM jobservice.tasks AS task
    WHERE task.execution_id = (SELECT id FROM execution)
    ORDER BY task.page, task.ordinal LIMIT {TASKS_AT_ONCE} FOR UPDATE SKIP LOCKED
), events AS (
    DELETE FROM jobservice.task_events USING doomed WHERE task_id = doomed.id
), tasks AS (
    DELETE FROM jobservice.tasks AS task USING doomed WHERE task.id = doomed.id
), decided AS (
    DELETE FROM jobservice.retention_decisions WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM jobservice.retention_decisions
        WHERE execution_id = (SELECT id FROM execution) LIMIT {DECISIONS_AT_ONCE}
    )) RETURNING execution_id
)
SELECT (SELECT count(*) FROM doomed) + (SELECT count(*) FROM decided) FROM execution
"""  # noqa: S608  a constant of this module

FORGET_EXECUTION = """
DELETE FROM jobservice.executions
WHERE id = $1 AND ended_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM jobservice.tasks WHERE execution_id = $1)
  AND NOT EXISTS (SELECT FROM jobservice.retention_decisions WHERE execution_id = $1)
RETURNING id
"""

MARK = "UPDATE jobservice.executions SET swept_at = coalesce(swept_at, now()) WHERE id = $1"


class Forgotten(Enum):
    """How far an execution is forgotten: all of it, a part, or nothing, since somebody holds it."""

    GONE = auto()
    PARTLY = auto()
    HELD = auto()


async def forget(connection: Connection, execution_id: int) -> Forgotten:
    """Forget a thousand tasks of an ended execution, and some of what it decided.

    With the last of them the execution itself goes.

    To be called in a transaction of its own.
    """
    count = await connection.fetchval(FORGET_TASKS, execution_id)
    if count is None:
        return Forgotten.HELD
    if await connection.fetchval(FORGET_EXECUTION, execution_id) is not None:
        return Forgotten.GONE
    if not count:
        return Forgotten.HELD
    await connection.execute(MARK, execution_id)
    return Forgotten.PARTLY


FORGET_OLD_LOGS = f"""
DELETE FROM jobservice.task_log_chunks WHERE (task_id, fence, sequence) IN (
    SELECT task_id, fence, sequence FROM jobservice.task_log_chunks
    WHERE created_at < now() - $1 * interval '1 day'
    ORDER BY created_at LIMIT {CHUNKS_AT_ONCE} FOR UPDATE SKIP LOCKED)
RETURNING octet_length(text) AS size
"""  # noqa: S608  a constant of this module


async def forget_old_logs(connection: Connection, *, days: float) -> tuple[int, int]:
    """Forget some of the logs that are older; return how many pieces and how many bytes."""
    rows = await connection.fetch(FORGET_OLD_LOGS, days)
    return len(rows), sum(row["size"] for row in rows)


LOG_BYTES = "SELECT coalesce(sum(octet_length(text)), 0)::bigint FROM jobservice.task_log_chunks"


async def log_bytes(connection: Connection) -> int:
    """Return how much text all logs have; reads them all."""
    size: int = await connection.fetchval(LOG_BYTES)
    return size


FORGET_WORKERS = f"""
DELETE FROM jobservice.workers
WHERE heartbeat_at < now() - interval '{SILENT_WORKER_DAYS} day'
"""  # noqa: S608  a constant of this module


async def forget_workers(connection: Connection) -> None:
    """Remove workers that died long ago."""
    await connection.execute(FORGET_WORKERS)
