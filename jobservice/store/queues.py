"""What waits, by job type: Harbor's queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """The tasks of a type that wait, and for how long the oldest has."""

    job_type: str
    count: int
    latency_seconds: int


# An index for each state.
LISTED = """
WITH waiting AS (
    SELECT job_type, created_at FROM jobservice.tasks WHERE status = 'pending'
    UNION ALL
    SELECT job_type, created_at FROM jobservice.tasks WHERE status = 'queued'
    UNION ALL
    SELECT job_type, created_at FROM jobservice.tasks WHERE status = 'retrying'
), known AS (
    SELECT unnest($1::text[]) AS job_type
    UNION SELECT unnest(job_types) FROM jobservice.workers
    UNION SELECT job_type FROM waiting
)
SELECT known.job_type, count(waiting.job_type) AS count,
       coalesce(extract(epoch FROM clock_timestamp() - min(waiting.created_at)), 0)::integer
           AS latency_seconds
FROM known LEFT JOIN waiting USING (job_type)
GROUP BY known.job_type ORDER BY known.job_type
"""


async def listed(connection: Connection, known: Sequence[str]) -> tuple[Queue, ...]:
    """Return a queue for every job type that is known here, to a worker, or waits."""
    return tuple(Queue(**row) for row in await connection.fetch(LISTED, list(known)))
