"""The table jobservice.task_events: the timeline of tasks, and how to follow it.

A follower reads below the oldest running transaction alone: what is there is complete, and no row
with a smaller transaction can still appear.
"""

from __future__ import annotations

from typing import Any

from database.pool import Connection
from jobservice.domain.happening import Place, Transition

COLUMNS = """
SELECT event.xact::text::bigint AS xact, event.id, event.task_id, event.execution_id,
       task.job_type, event.was, event.becomes, event.occurred_at, event.delivery, event.attempt,
       event.fence, event.worker_id, coalesce(worker.host, '') AS worker, event.reason
FROM jobservice.task_events AS event
JOIN jobservice.tasks AS task ON task.id = event.task_id
LEFT JOIN jobservice.workers AS worker ON worker.id = event.worker_id
"""

# The newest, should a task have had more turns than anybody reads.
TIMELINE = COLUMNS + "WHERE event.task_id = $1 ORDER BY event.id DESC LIMIT $2"


async def timeline(connection: Connection, task_id: int, *, limit: int) -> tuple[Transition, ...]:
    """Return the newest transitions of a task, oldest first."""
    rows = await connection.fetch(TIMELINE, task_id, limit)
    return tuple(_transition(row) for row in reversed(rows))


HERE = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"


async def here(connection: Connection) -> Place:
    """Return the place before which everything is complete."""
    return Place(xact=await connection.fetchval(HERE))


# One execution's are found by the index on transactions all the same: few lie after a place.
AFTER = (
    COLUMNS
    + """
WHERE event.xact >= $1::text::xid8
  AND event.xact < pg_snapshot_xmin(pg_current_snapshot())
  AND (event.xact > $1::text::xid8 OR event.id > $2)
ORDER BY event.xact, event.id LIMIT $3
"""
)


async def after(connection: Connection, place: Place, *, limit: int) -> tuple[Transition, ...]:
    """Return what happened after a place, in the order in which it is complete."""
    rows = await connection.fetch(AFTER, str(place.xact), place.id, limit)
    return tuple(_transition(row) for row in rows)


QUEUES = """
SELECT job_type, status, count(*) AS count FROM jobservice.tasks
WHERE status IN ('pending', 'queued', 'retrying', 'running') GROUP BY job_type, status
"""


async def queues(connection: Connection) -> dict[str, dict[str, int]]:
    """Return how many unfinished tasks there are by job type and status."""
    found: dict[str, dict[str, int]] = {}
    for row in await connection.fetch(QUEUES):
        found.setdefault(row["job_type"], {})[row["status"]] = row["count"]
    return found


def _transition(row: Any) -> Transition:
    values = dict(row)
    return Transition(place=Place(xact=values.pop("xact"), id=values.pop("id")), **values)
