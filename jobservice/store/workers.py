"""The table jobservice.workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection

# Silent for longer, a worker gets no more work.
ALIVE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWorker:
    """A worker process as it presents itself; `slots` counts tasks at once by queue."""

    host: str
    pid: int
    version: str
    zone: str | None
    job_types: Sequence[str]
    slots: Mapping[str, int]


REGISTER = """
INSERT INTO jobservice.workers (host, pid, version, zone, job_types, slots)
VALUES ($1, $2, $3, $4, $5, $6) RETURNING id
"""


async def register(connection: Connection, worker: NewWorker) -> int:
    """Add a worker; return its id."""
    worker_id: int = await connection.fetchval(
        REGISTER,
        worker.host,
        worker.pid,
        worker.version,
        worker.zone,
        list(worker.job_types),
        dict(worker.slots),
    )
    return worker_id


BEAT = "UPDATE jobservice.workers SET heartbeat_at = clock_timestamp() WHERE id = $1"


async def beat(connection: Connection, worker_id: int) -> None:
    """Say that the worker lives."""
    await connection.execute(BEAT, worker_id)


COUNT_ALIVE = f"""
SELECT count(*) FROM jobservice.workers
WHERE heartbeat_at > clock_timestamp() - interval '{ALIVE_SECONDS} seconds'
"""  # noqa: S608  a constant of this module


async def count_alive(connection: Connection) -> int:
    """Return how many workers get work."""
    alive: int = await connection.fetchval(COUNT_ALIVE)
    return alive


LEAVE = "DELETE FROM jobservice.workers WHERE id = $1"


async def leave(connection: Connection, worker_id: int) -> None:
    """Remove a worker that ends."""
    await connection.execute(LEAVE, worker_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A worker process that lives, and how many tasks it runs."""

    id: int
    host: str
    pid: int
    version: str
    zone: str | None
    job_types: Sequence[str]
    slots: Mapping[str, int]
    started_at: datetime
    heartbeat_at: datetime
    running: int

    @property
    def concurrency(self) -> int:
        """How many tasks it runs at once at most."""
        return sum(self.slots.values())


LISTED = f"""
SELECT id, host, pid, version, zone, job_types, slots, started_at, heartbeat_at,
       (SELECT count(*) FROM jobservice.tasks
        WHERE status = 'running' AND worker_id = worker.id)::integer AS running
FROM jobservice.workers AS worker
WHERE heartbeat_at > clock_timestamp() - interval '{ALIVE_SECONDS} seconds'
ORDER BY id
"""  # noqa: S608  a constant of this module


async def listed(connection: Connection) -> tuple[Worker, ...]:
    """Return the workers that live."""
    return tuple(Worker(**row) for row in await connection.fetch(LISTED))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A task that a worker runs."""

    worker_id: int
    task_id: int
    job_type: str
    started_at: datetime


RUNNING = """
SELECT worker_id, id AS task_id, job_type, started_at FROM jobservice.tasks
WHERE status = 'running' ORDER BY worker_id, id
"""


async def running(connection: Connection) -> tuple[Slot, ...]:
    """Return what runs where."""
    return tuple(Slot(**row) for row in await connection.fetch(RUNNING))
