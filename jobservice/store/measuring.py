"""What metrics read at the moment they are asked for, each bounded in rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from database.pool import Connection
from jobservice.domain.counting import COPIED, Key
from jobservice.domain.metric import REGISTRIES_LIMIT
from jobservice.domain.schedule import Schedule
from jobservice.store import counters, retention_runs, schedules
from jobservice.store.workers import ALIVE_SECONDS
from registry.metadata import collected, reclaimable
from registry.metadata.reclaimable import Buried


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryUse:
    """A registry with a limit, or one that was postponed."""

    endpoint_id: int
    name: str
    concurrency: int | None
    requests_per_second: float | None
    running: int
    postponed_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """Everything that Postgres knows, at one moment. Registries are named as people name them."""

    queues: Mapping[tuple[str, str], int] = field(default_factory=dict)
    oldest: Mapping[str, float] = field(default_factory=dict)
    counters: Mapping[Key, float] = field(default_factory=dict)
    registry_names: Mapping[str, str] = field(default_factory=dict)
    registries: tuple[RegistryUse, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    schedule_lag: float = 0.0
    workers: int = 0
    slots: Mapping[str, int] = field(default_factory=dict)
    outbox: int = 0
    collected: Mapping[str, int] = field(default_factory=dict)
    retention_waiting: int = 0
    buried: Buried
    now: datetime


# The states are written out: each has a partial index, and final ones are never looked at.
QUEUES = """
SELECT job_type, status AS state, count(*) AS size,
       max(extract(epoch FROM clock_timestamp() - greatest(created_at, not_before)))
           FILTER (WHERE status = 'pending') AS oldest_seconds
FROM jobservice.tasks
WHERE status = 'pending' OR status = 'queued' OR status = 'running' OR status = 'retrying'
GROUP BY job_type, status
"""
NAMES = f"""
SELECT id::text AS id, name FROM jobservice.endpoints
WHERE id::text = ANY($1::text[]) LIMIT {REGISTRIES_LIMIT}
"""  # noqa: S608  a constant
REGISTRIES = f"""
SELECT known.endpoint_id,
       coalesce(endpoint.name, CASE WHEN known.endpoint_id = 0 THEN 'Local' ELSE '' END) AS name,
       known.concurrency, known.requests_per_second,
       greatest(0, extract(epoch FROM known.postponed_until - clock_timestamp()))::double precision
           AS postponed_seconds,
       (SELECT count(*) FROM jobservice.tasks AS task
        JOIN jobservice.executions AS execution ON execution.id = task.execution_id
        WHERE task.status = 'running'
          AND known.endpoint_id = ANY(execution.endpoint_ids)) AS running
FROM jobservice.endpoint_limits AS known
LEFT JOIN jobservice.endpoints AS endpoint ON endpoint.id = known.endpoint_id
ORDER BY known.endpoint_id LIMIT {REGISTRIES_LIMIT}
"""  # noqa: S608  a constant
LAG = """
SELECT coalesce(greatest(0, extract(epoch FROM clock_timestamp() - min(next_fire_at))), 0)
FROM jobservice.schedules WHERE next_fire_at IS NOT NULL
"""
WORKERS = f"""
SELECT slot.key AS queue, sum(slot.value::integer) AS slots, count(DISTINCT worker.id) AS workers
FROM jobservice.workers AS worker, jsonb_each_text(worker.slots) AS slot
WHERE worker.heartbeat_at > clock_timestamp() - interval '{ALIVE_SECONDS} seconds'
GROUP BY GROUPING SETS ((slot.key), ())
"""  # noqa: S608  a constant
# Counting stops where it no longer matters how many there are.
OUTBOX = """
SELECT (SELECT count(*) FROM (SELECT FROM jobservice.outbox LIMIT 100000) AS ours)
     + (SELECT count(*) FROM (SELECT FROM registry.outbox LIMIT 100000) AS registrys)
"""


async def measure(connection: Connection) -> Measures:
    """Return what there is."""
    queues = await connection.fetch(QUEUES)
    counted = await counters.totals(connection)
    copied = [labels[0] for name, labels in counted if name == COPIED]
    names = await connection.fetch(NAMES, copied)
    workers: list[Any] = await connection.fetch(WORKERS)
    registries: list[Any] = await connection.fetch(REGISTRIES)
    return Measures(
        queues={(row["job_type"], row["state"]): row["size"] for row in queues},
        oldest={
            row["job_type"]: max(0.0, float(row["oldest_seconds"]))
            for row in queues
            if row["oldest_seconds"] is not None
        },
        counters=counted,
        registry_names={"0": "Local", **{row["id"]: row["name"] for row in names}},
        registries=tuple(RegistryUse(**row) for row in registries),
        schedules=await schedules.every(connection),
        schedule_lag=float(await connection.fetchval(LAG)),
        workers=sum(row["workers"] for row in workers if row["queue"] is None),
        slots={row["queue"]: row["slots"] for row in workers if row["queue"] is not None},
        outbox=await connection.fetchval(OUTBOX),
        collected=await collected.counts(connection),
        buried=await reclaimable.buried(connection),
        retention_waiting=await retention_runs.waiting(connection),
        now=await schedules.now(connection),
    )
