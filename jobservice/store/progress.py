"""The table jobservice.task_progress: what running tasks have done so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection
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
                $6::integer[])
         AS reading (task_id, fence, bytes_done, bytes_total, items_done, items_total)
    JOIN jobservice.tasks AS task ON task.id = reading.task_id AND task.fence = reading.fence
    WHERE task.status = 'running'
    ORDER BY task.id FOR SHARE OF task
)
INSERT INTO jobservice.task_progress AS known
    (task_id, fence, bytes_done, bytes_total, items_done, items_total)
SELECT task_id, fence, bytes_done, bytes_total, items_done, items_total FROM reading
ON CONFLICT (task_id) DO UPDATE
SET fence = excluded.fence, bytes_done = excluded.bytes_done, bytes_total = excluded.bytes_total,
    items_done = excluded.items_done, items_total = excluded.items_total, updated_at = now()
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
        )
