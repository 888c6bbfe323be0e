"""Which tasks go to Redis next; everything here is the leader's alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from database.pool import Connection
from jobservice.domain.lane import Lane
from jobservice.domain.turns import Busy, Candidate
from jobservice.store.leader import IS_LEADER, Leadership
from jobservice.store.workers import ALIVE_SECONDS

WINDOW_PER_SLOT = 3
# Up to so many executions that wait in a lane are looked up one by one; where more do, walking all
# unfinished ones in the order of their turns soon finds enough.
FEW_EXECUTIONS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One dispatch of a task; `is_rescue`: its worker died, so it goes before what waits."""

    task_id: int
    number: int
    queue: str
    zone: str | None
    is_rescue: bool = False

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


# LATERAL and LIMIT 1, not EXISTS, here and below: that may be planned as a look at all tasks.
# A job type that no live worker of the zone knows has no lane, and a paused one has none either.
LANES = f"""
WITH lane AS (
    SELECT DISTINCT slot.queue, worker.zone, type.name AS job_type
    FROM jobservice.workers AS worker,
         jsonb_object_keys(worker.slots) AS slot (queue), unnest(worker.job_types) AS type (name)
    WHERE worker.heartbeat_at > clock_timestamp() - interval '{ALIVE_SECONDS} seconds'
)
SELECT lane.queue, lane.zone, lane.job_type FROM lane
CROSS JOIN LATERAL (
    SELECT FROM jobservice.tasks
    WHERE status = 'pending' AND queue = lane.queue
      AND coalesce(zone, '') = coalesce(lane.zone, '') AND job_type = lane.job_type
    LIMIT 1) AS one
WHERE NOT EXISTS (SELECT FROM jobservice.pauses
                  WHERE scope = 'everything' OR (scope = 'job_type' AND key = lane.job_type))
"""  # noqa: S608  constants of this module


async def lanes(connection: Connection) -> tuple[Lane, ...]:
    """Return the lanes in which something waits that is not held back as a whole."""
    return tuple(Lane(**row) for row in await connection.fetch(LANES))


BUSY = """
WITH flying AS (
    SELECT execution_id, job_type FROM jobservice.tasks WHERE status = 'queued'
    UNION ALL
    SELECT execution_id, job_type FROM jobservice.tasks WHERE status = 'running'
)
SELECT flying.execution_id, flying.job_type, count(*)::integer AS count, execution.endpoint_ids
FROM flying JOIN jobservice.executions AS execution ON execution.id = flying.execution_id
GROUP BY flying.execution_id, flying.job_type, execution.id
"""


async def busy(connection: Connection) -> tuple[Busy, ...]:
    """Return what is in flight."""
    return tuple(Busy(**row) for row in await connection.fetch(BUSY))


# An execution waits in a lane if it has pending tasks there; at most so many tasks of each are
# candidates. What is paused, stopped, postponed or full never hides what could go.
CANDIDATES = f"""
WITH RECURSIVE waiting (execution_id, number) AS (
    (SELECT execution_id, 1 FROM jobservice.tasks
     WHERE status = 'pending' AND queue = $1 AND coalesce(zone, '') = coalesce($2, '')
       AND job_type = $3
     ORDER BY execution_id LIMIT 1)
    UNION ALL
    SELECT (SELECT execution_id FROM jobservice.tasks
            WHERE status = 'pending' AND queue = $1 AND coalesce(zone, '') = coalesce($2, '')
              AND job_type = $3 AND execution_id > waiting.execution_id
            ORDER BY execution_id LIMIT 1), number + 1
    FROM waiting WHERE execution_id IS NOT NULL AND number <= {FEW_EXECUTIONS}
), few AS MATERIALIZED (
    SELECT execution_id FROM waiting WHERE execution_id IS NOT NULL
), paused AS MATERIALIZED (
    SELECT coalesce(array_agg(key::bigint) FILTER (WHERE scope = 'policy'), '{{}}') AS policies,
           coalesce(array_agg(key::bigint) FILTER (WHERE scope = 'destination'), '{{}}')
               AS destinations
    FROM jobservice.pauses WHERE scope IN ('policy', 'destination')
), eligible AS NOT MATERIALIZED (
    SELECT id, turn_at, priority, endpoint_ids FROM jobservice.executions
    WHERE ended_at IS NULL AND stop_requested_at IS NULL AND NOT endpoint_ids && $4::bigint[]
      AND (policy_id IS NULL OR policy_id <> ALL ((SELECT policies FROM paused)::bigint[]))
      AND (destination_id IS NULL
           OR destination_id <> ALL ((SELECT destinations FROM paused)::bigint[]))
), execution AS MATERIALIZED (
    (SELECT eligible.* FROM few JOIN eligible ON eligible.id = few.execution_id
     WHERE (SELECT count(*) FROM few) <= {FEW_EXECUTIONS}
     ORDER BY turn_at, id LIMIT $5)
    UNION ALL
    (SELECT eligible.* FROM eligible
     CROSS JOIN LATERAL (
         SELECT FROM jobservice.tasks
         WHERE status = 'pending' AND queue = $1 AND coalesce(zone, '') = coalesce($2, '')
           AND job_type = $3 AND execution_id = eligible.id
         LIMIT 1) AS one
     WHERE (SELECT count(*) FROM few) > {FEW_EXECUTIONS}
     ORDER BY turn_at, id LIMIT $5)
)
SELECT task.id AS task_id, execution.id AS execution_id, task.place::integer, execution.priority,
       execution.turn_at, execution.endpoint_ids
FROM execution
CROSS JOIN LATERAL (
    SELECT id, row_number() OVER (ORDER BY priority DESC, id) AS place
    FROM jobservice.tasks
    WHERE status = 'pending' AND queue = $1 AND coalesce(zone, '') = coalesce($2, '')
      AND job_type = $3 AND execution_id = execution.id
      AND (not_before IS NULL OR not_before <= clock_timestamp())
    ORDER BY priority DESC, id
    LIMIT 1 + 2 * $6::integer / (SELECT count(*) FROM execution)
) AS task
"""  # noqa: S608  constants of this module


async def candidates(
    connection: Connection,
    lane: Lane,
    *,
    room: int,
    busy_executions: int,
    blocked_endpoints: Collection[int],
) -> tuple[Candidate, ...]:
    """Return who could fill a room: enough executions to be fair, enough tasks of each."""
    # Those in flight may have to let others go first: look as far beyond them as there is room.
    executions = room + busy_executions + 1
    rows = await connection.fetch(
        CANDIDATES,
        lane.queue,
        lane.zone,
        lane.job_type,
        list(blocked_endpoints),
        executions,
        room,
    )
    return tuple(Candidate(lane=lane, **row) for row in rows)


TAKE = f"""
WITH locked AS MATERIALIZED (
    SELECT id FROM jobservice.tasks
    WHERE id = ANY($3::bigint[]) AND status = 'pending' AND {IS_LEADER}
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE jobservice.tasks AS task
SET status = 'queued', reason = 'sent to the workers', delivery = delivery + 1,
    dispatched_at = clock_timestamp()
FROM locked WHERE task.id = locked.id
RETURNING task.id AS task_id, task.delivery AS number, task.queue, task.zone,
          task.rescues > 0 AS is_rescue
"""  # noqa: S608  constants of this module


async def take(
    connection: Connection, leadership: Leadership, task_ids: Sequence[int]
) -> tuple[Delivery, ...]:
    """Commit tasks to their queues, as far as they are pending yet; return what to ring for."""
    rows = await connection.fetch(TAKE, leadership.worker_id, leadership.fence, list(task_ids))
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
