"""Which tasks go to Redis next; everything here is the leader's alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection
from jobservice.store.leader import IS_LEADER, Leadership
from jobservice.store.workers import ALIVE_SECONDS

WINDOW_PER_SLOT = 3
_EXECUTIONS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One dispatch of a task."""

    task_id: int
    number: int
    queue: str
    zone: str | None

    @property
    def key(self) -> str:
        """What it is called in Redis."""
        return f"{self.task_id}.{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many more tasks a queue takes before its window is full."""

    queue: str
    zone: str | None
    size: int


ROOM = f"""
WITH capacity AS (
    SELECT worker.zone, slot.key AS queue, sum(slot.value::integer) AS slots
    FROM jobservice.workers AS worker, jsonb_each_text(worker.slots) AS slot
    WHERE worker.heartbeat_at > clock_timestamp() - interval '{ALIVE_SECONDS} seconds'
    GROUP BY worker.zone, slot.key
), queued AS (
    SELECT zone, queue, count(*) AS size FROM jobservice.tasks WHERE status = 'queued'
    GROUP BY zone, queue
)
SELECT capacity.queue, capacity.zone,
       (capacity.slots * {WINDOW_PER_SLOT} - coalesce(queued.size, 0))::integer AS size
FROM capacity LEFT JOIN queued
     ON queued.queue = capacity.queue AND queued.zone IS NOT DISTINCT FROM capacity.zone
"""  # noqa: S608  constants of this module


async def rooms(connection: Connection) -> tuple[Room, ...]:
    """Return the queues that live workers serve and that are not full."""
    rows = await connection.fetch(ROOM)
    return tuple(Room(**row) for row in rows if row["size"] > 0)


# Fair: the first task of every execution comes before the second of any.
TAKE = f"""
WITH candidate AS (
    SELECT task.id
    FROM (SELECT id, priority FROM jobservice.executions
          WHERE ended_at IS NULL AND stop_requested_at IS NULL
          ORDER BY priority DESC, id LIMIT {_EXECUTIONS_AT_ONCE}) AS execution
    CROSS JOIN LATERAL (
        SELECT id, row_number() OVER (ORDER BY priority DESC, id) AS turn
        FROM jobservice.tasks
        WHERE execution_id = execution.id AND status = 'pending'
          AND queue = $3 AND zone IS NOT DISTINCT FROM $4
          AND (not_before IS NULL OR not_before <= clock_timestamp())
        ORDER BY priority DESC, id LIMIT $5
    ) AS task
    ORDER BY execution.priority DESC, task.turn, task.id LIMIT $5
)
UPDATE jobservice.tasks AS task
SET status = 'queued', reason = 'sent to the workers', delivery = delivery + 1,
    dispatched_at = clock_timestamp()
FROM candidate
WHERE task.id = candidate.id AND task.status = 'pending' AND {IS_LEADER}
RETURNING task.id AS task_id, task.delivery AS number, task.queue, task.zone
"""  # noqa: S608  constants of this module


async def take(connection: Connection, leadership: Leadership, room: Room) -> tuple[Delivery, ...]:
    """Commit up to `room.size` tasks to a queue; return what is to be rung for."""
    rows = await connection.fetch(
        TAKE, leadership.worker_id, leadership.fence, room.queue, room.zone, room.size
    )
    return tuple(Delivery(**row) for row in rows)


PROMOTE = f"""
UPDATE jobservice.tasks SET status = 'pending', reason = 'the pause is over'
WHERE status = 'retrying' AND not_before <= clock_timestamp() AND {IS_LEADER}
"""  # noqa: S608  constants of this module


async def promote_retries(connection: Connection, leadership: Leadership) -> None:
    """Let tasks whose pause is over wait for a dispatch again."""
    await connection.execute(PROMOTE, leadership.worker_id, leadership.fence)


WAITING = """
SELECT id AS task_id, delivery AS number, queue, zone FROM jobservice.tasks
WHERE status = 'queued' AND dispatched_at < clock_timestamp() - $1 * interval '1 second'
ORDER BY dispatched_at LIMIT 5000
"""


async def waiting(connection: Connection, *, for_seconds: float) -> tuple[Delivery, ...]:
    """Return what was dispatched that long ago and not claimed since."""
    return tuple(Delivery(**row) for row in await connection.fetch(WAITING, for_seconds))


TAKE_BACK = f"""
UPDATE jobservice.tasks AS task SET status = 'pending', reason = 'Redis lost it'
FROM unnest($3::bigint[], $4::integer[]) AS lost (id, delivery)
WHERE task.id = lost.id AND task.delivery = lost.delivery AND task.status = 'queued'
  AND {IS_LEADER}
"""  # noqa: S608  constants of this module


async def take_back(
    connection: Connection, leadership: Leadership, lost: Sequence[Delivery]
) -> None:
    """Let deliveries that Redis lost be dispatched again; what was claimed is left alone."""
    await connection.execute(
        TAKE_BACK,
        leadership.worker_id,
        leadership.fence,
        [delivery.task_id for delivery in lost],
        [delivery.number for delivery in lost],
    )


RELEASE = """
UPDATE jobservice.tasks SET status = 'pending', reason = $3
WHERE id = $1 AND delivery = $2 AND status = 'queued'
"""


async def release(connection: Connection, task_id: int, number: int, *, reason: str) -> None:
    """Give back a delivery that a worker took and will not claim, because it ends."""
    await connection.execute(RELEASE, task_id, number, reason)


RING = "SELECT pg_notify($1, '')"


async def ring(connection: Connection, channel: str) -> None:
    """Wake the dispatcher."""
    await connection.execute(RING, channel)
