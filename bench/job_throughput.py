"""How fast nothing is done: by us, by procrastinate, by arq alone; as many jobs each, in turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import redis

from bench import job_peers, job_worker
from bench.job_servers import Servers, workers
from bench.measure import CommandFailed
from bench.processes import cpu_seconds
from jobservice import queue
from jobservice.store.dispatching import WINDOW_PER_SLOT

JOBS: Final = 5_000
SLOTS: Final = 50
_LOOK_SECONDS: Final = 0.01
_DEADLINE_SECONDS: Final = 300

_FILL: Final = """
WITH execution AS (
    INSERT INTO jobservice.executions
        (vendor_type, trigger, policy_snapshot, total, plan_status)
    VALUES ('BENCH', 'manual', '{}', $1, 'succeeded') RETURNING id
)
INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, ordinal)
SELECT id, $2, $3, 1, number FROM execution, generate_series(1, $1::integer) AS number
"""
_RING: Final = "SELECT pg_notify('jobservice_dispatch', '')"
_ARE_UP: Final = "SELECT count(*) FROM jobservice.workers"
_HAVE_ENDED: Final = "SELECT count(*) FROM jobservice.executions WHERE ended_at IS NULL"
_DONE: Final = "SELECT count(*) FROM procrastinate_jobs WHERE status <> 'succeeded'"
_IS_UP: Final = "SELECT count(*) FROM procrastinate_workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One run: how long all jobs took, and the workers' processor time for it.

    `most_waiting` is how many Redis held at most.
    """

    seconds: float
    cpu_seconds: float
    most_waiting: int = 0

    @property
    def per_second(self) -> float:
        """Jobs a second."""
        return JOBS / self.seconds


async def transship(servers: Servers, count: int) -> Pace:
    """Run so many worker processes of ours; everything is on disk when it is done."""
    dsn = await servers.new_database("transship_bench", migrated=True)
    redis_dsn = servers.new_redis()
    name = queue.queue_name(None, job_worker.QUEUE)
    most = 0
    connection = await asyncpg.connect(dsn)
    with (
        redis.Redis.from_url(redis_dsn) as client,
        workers(count, "bench.job_worker", dsn, redis_dsn, str(SLOTS)) as processes,
    ):

        async def is_done() -> bool:
            nonlocal most
            most = max(most, _waiting(client, name))
            return await _is_zero(connection, _HAVE_ENDED)

        await _until(lambda: _at_least(connection, _ARE_UP, count))
        # Their first beats, the election of a leader.
        await asyncio.sleep(2)
        before = sum(map(cpu_seconds, processes))
        await connection.execute(_FILL, JOBS, job_worker.NAME, job_worker.QUEUE)
        started = time.monotonic()
        await connection.execute(_RING)
        await _until(is_done)
        seconds = time.monotonic() - started
        used = sum(map(cpu_seconds, processes)) - before
    await connection.close()
    if most > (window := count * SLOTS * WINDOW_PER_SLOT):
        raise CommandFailed(f"Redis held {most} deliveries; the window is {window}")
    return Pace(seconds=seconds, cpu_seconds=used, most_waiting=most)


async def procrastinate(servers: Servers, _count: int) -> Pace:
    """Run one procrastinate worker process with as many jobs at once."""
    dsn = await servers.new_database("procrastinate_bench", migrated=False)
    await job_peers.prepare_procrastinate(dsn)
    connection = await asyncpg.connect(dsn)
    with workers(1, "bench.job_peers", "procrastinate", dsn, str(SLOTS)) as processes:
        await _until(lambda: _at_least(connection, _IS_UP, 1))
        before = sum(map(cpu_seconds, processes))
        started = time.monotonic()
        await job_peers.fill_procrastinate(dsn, JOBS)
        await _until(lambda: _is_zero(connection, _DONE))
        seconds = time.monotonic() - started
        used = sum(map(cpu_seconds, processes)) - before
    await connection.close()
    return Pace(seconds=seconds, cpu_seconds=used)


async def arq(servers: Servers, _count: int) -> Pace:
    """Run one arq worker process with as many jobs at once and nothing behind it."""
    dsn = servers.new_redis()
    with (
        redis.Redis.from_url(dsn) as client,
        workers(1, "bench.job_peers", "arq", dsn, str(SLOTS)) as processes,
    ):

        async def is_up() -> bool:
            return bool(client.exists("arq:queue:health-check"))

        async def is_done() -> bool:
            return _waiting(client, "arq:queue") == 0

        await _until(is_up)
        before = sum(map(cpu_seconds, processes))
        started = time.monotonic()
        await job_peers.fill_arq(dsn, JOBS)
        await _until(is_done)
        seconds = time.monotonic() - started
        used = sum(map(cpu_seconds, processes)) - before
    return Pace(seconds=seconds, cpu_seconds=used)


def _waiting(client: redis.Redis, name: str) -> int:
    count: Any = client.zcard(name)
    return int(count)


async def _at_least(connection: asyncpg.Connection, query: str, count: int) -> bool:
    with suppress(asyncpg.UndefinedTableError):
        return int(await connection.fetchval(query)) >= count
    return False


async def _is_zero(connection: asyncpg.Connection, query: str) -> bool:
    return int(await connection.fetchval(query)) == 0


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110  other processes set no events of ours
            await asyncio.sleep(_LOOK_SECONDS)
