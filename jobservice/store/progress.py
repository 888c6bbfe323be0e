"""The table jobservice.task_progress: what running tasks have done so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from database.pool import Connection
from jobservice.domain.execution import Running
from jobservice.domain.task import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The progress of one claim."""

    task_id: int
    fence: int
    progress: Progress


# The lock waits for a settlement under way; what is then no longer running is left out.
WRITE = """
WITH reading AS MATERIALIZED (
    SELECT reading.*
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[],
                $6::integer[], $7::bigint[])
         AS reading (task_id, fence, bytes_done, bytes_total, items_done, items_total,
                     bytes_per_second)
    JOIN jobservice.tasks AS task ON task.id = reading.task_id AND task.fence = reading.fence
    WHERE task.status = 'running'
    ORDER BY task.id FOR SHARE OF task
)
INSERT INTO jobservice.task_progress AS known
    (task_id, fence, bytes_done, bytes_total, items_done, items_total, bytes_per_second)
SELECT task_id, fence, bytes_done, bytes_total, items_done, items_total, bytes_per_second
FROM reading
ON CONFLICT (task_id) DO UPDATE
SET fence = excluded.fence, bytes_done = excluded.bytes_done, bytes_total = excluded.bytes_total,
    items_done = excluded.items_done, items_total = excluded.items_total,
    bytes_per_second = excluded.bytes_per_second, updated_at = now()
WHERE known.fence <= excluded.fence
"""


async def write(connection: Connection, readings: Sequence[Reading]) -> None:
    """Keep the progress of many tasks in one statement; lost ones are left out."""
    if readings:
        await connection.execute(
            WRITE,
            [reading.task_id for reading in readings],
            [reading.fence for reading in readings],
            [reading.progress.bytes_done for reading in readings],
            [reading.progress.bytes_total for reading in readings],
            [reading.progress.items_done for reading in readings],
            [reading.progress.items_total for reading in readings],
            [reading.progress.bytes_per_second for reading in readings],
        )


# A reading that nobody renewed tells no rate: its task stands still, or its worker is silent.
FRESH = "progress.updated_at > clock_timestamp() - interval '5 seconds'"
RUNNING = f"""
SELECT count(task.id) AS running,
       coalesce(sum(progress.bytes_done), 0)::bigint AS bytes_done,
       coalesce(sum(progress.bytes_total), 0)::bigint AS bytes_total,
       coalesce(bool_and(progress.bytes_total IS NOT NULL), true) AS is_total_known,
       sum(progress.bytes_per_second) FILTER (WHERE {FRESH})::bigint AS bytes_per_second
FROM jobservice.tasks AS task
LEFT JOIN jobservice.task_progress AS progress ON progress.task_id = task.id
WHERE task.execution_id = $1 AND task.status = 'running' AND NOT task.is_plan
"""  # noqa: S608  constants of this module


async def running(connection: Connection, execution_id: int) -> Running:
    """Return what the running tasks of an execution have done so far, added up."""
    row: Any = await connection.fetchrow(RUNNING, execution_id)
    return Running(**row)
