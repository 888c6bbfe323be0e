"""What breaks: one function per fault, each leaves everything whole again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import redis.asyncio

from tests.chaos.house import ROOT
from tests.chaos.load import WEATHER
from tests.chaos.strike import LEASE_SECONDS, Strike
from tests.upgrade import releases

PAST_THE_LEASE_SECONDS = LEASE_SECONDS + 8
AWAY_SECONDS = 30
IDLE_CONNECTIONS = 300
TERMINATE = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
CLAIMS_OF_THE_LAST = 10
# The first release writes progress without a lock, and so sometimes after the task has ended.
LEFT_BEHIND = """
DELETE FROM jobservice.task_progress AS progress USING jobservice.tasks AS task
WHERE task.id = progress.task_id AND task.status <> 'running'
"""

Fault = Callable[[Strike], Awaitable[None]]


async def kill_workers(strike: Strike) -> None:
    """kill -9 of a worker every second"""
    for _ in range(strike.times(15, 3)):
        await strike.kill(strike.some_worker())
        await asyncio.sleep(1)


async def freeze_worker(strike: Strike) -> None:
    """a worker stopped past its lease, then woken"""
    worker = strike.some_worker()
    strike.hit(worker)
    pid = worker.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(PAST_THE_LEASE_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    await asyncio.sleep(3)


async def flush_redis(strike: Strike) -> None:
    """FLUSHALL"""
    async with redis.asyncio.Redis.from_url(strike.house.valkey.dsn()) as client:
        for _ in range(strike.times(5, 2)):
            with suppress(redis.exceptions.ConnectionError, OSError):  # another fault has it away
                await client.flushall()
                strike.is_back("redis")
            await asyncio.sleep(3)


async def redis_away(strike: Strike) -> None:
    """Redis killed, and away for 30 s"""
    pid = int((strike.house.valkey.folder / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(strike.house.valkey.stop)
    await asyncio.sleep(strike.times(AWAY_SECONDS, 5))
    await asyncio.to_thread(strike.house.valkey.start)
    strike.is_back("redis")
    await asyncio.sleep(5)


async def restart_postgres(strike: Strike) -> None:
    """Postgres restarted"""
    for _ in range(strike.times(2, 1)):
        await asyncio.to_thread(strike.house.postgres.stop)
        await asyncio.to_thread(strike.house.postgres.start)
        strike.is_back("postgres")
        await asyncio.sleep(8)


async def drop_connections(strike: Strike) -> None:
    """every connection terminated"""
    for _ in range(strike.times(8, 3)):
        with suppress(*WEATHER):
            connection = await strike.house.connect()
            await connection.fetchval(TERMINATE)
            await connection.close()
        strike.is_back("postgres")
        await asyncio.sleep(2)


async def idle_connections(strike: Strike) -> None:
    """300 idle connections"""
    idle: list[Any] = []
    for _ in range(IDLE_CONNECTIONS):
        with suppress(asyncpg.PostgresError, OSError):
            idle.append(await asyncpg.connect(strike.house.postgres.dsn()))
    await asyncio.sleep(strike.times(20, 5))
    for connection in idle:
        connection.terminate()
    strike.is_back("postgres")
    await asyncio.sleep(2)


async def cut_worker_off(strike: Strike) -> None:
    """one worker cut off from Postgres alone"""
    worker = strike.some_worker()
    strike.hit(worker)
    worker.postgres.cut()
    await asyncio.sleep(PAST_THE_LEASE_SECONDS)
    worker.postgres.mend()
    await asyncio.sleep(3)


async def leader_unheard(strike: Strike) -> None:
    """the leader's packets dropped both ways"""
    worker = await strike.leader()
    strike.hit(worker)
    for cable in (worker.postgres, worker.redis):
        cable.die()
    await asyncio.sleep(PAST_THE_LEASE_SECONDS)
    for cable in (worker.postgres, worker.redis):
        cable.mend()
    await asyncio.sleep(3)


async def rolling_restart(strike: Strike) -> None:
    """SIGTERM of one process after the other"""
    house = strike.house
    for worker in house.workers:
        await strike.restart(worker, signal.SIGTERM)
        await asyncio.sleep(1)
    await house.end(house.api, signal.SIGTERM)
    await house.start_api()


async def kill_api(strike: Strike) -> None:
    """the API killed between commit and ring"""
    for _ in range(strike.times(5, 1)):
        begun = asyncio.Event()

        async def post(begun: asyncio.Event = begun) -> None:
            begun.set()
            with suppress(*WEATHER):
                await strike.load.start()

        async with asyncio.TaskGroup() as group:
            group.create_task(post())
            await begun.wait()
            await asyncio.sleep(strike.chance.uniform(0.02, 0.15))
            await strike.house.end(strike.house.api, signal.SIGKILL)
        await strike.house.start_api()


async def previous_release(strike: Strike) -> None:
    """a worker of the release before beside newer ones"""
    worker = strike.house.workers[0]
    folder = strike.house.folder / "previous"
    tree = await asyncio.to_thread(releases.read()[-1].unpack, folder)
    worker.tree = tree
    try:
        await strike.restart(worker, signal.SIGTERM)
        await strike.has_claimed(worker, CLAIMS_OF_THE_LAST)
        await strike.kill(worker)
        await strike.has_claimed(worker, CLAIMS_OF_THE_LAST)
    finally:
        worker.tree = ROOT
        await strike.restart(worker, signal.SIGTERM)
    connection = await strike.house.connect()
    await connection.execute(LEFT_BEHIND)
    await connection.close()


ALL: Mapping[str, Fault] = {
    "kill-workers": kill_workers,
    "freeze-worker": freeze_worker,
    "flush-redis": flush_redis,
    "redis-away": redis_away,
    "restart-postgres": restart_postgres,
    "drop-connections": drop_connections,
    "idle-connections": idle_connections,
    "cut-worker-off": cut_worker_off,
    "leader-unheard": leader_unheard,
    "rolling-restart": rolling_restart,
    "kill-api": kill_api,
    "previous-release": previous_release,
}

# What may go on at the same time; the others restart the same processes.
MIXABLE = (
    kill_workers,
    freeze_worker,
    flush_redis,
    redis_away,
    restart_postgres,
    drop_connections,
    idle_connections,
    cut_worker_off,
    leader_unheard,
    kill_api,
)
AT_ONCE = 3


def mixed(seconds: float) -> Fault:
    """Return a fault that is several at once, drawn again and again for that long."""

    async def mix(strike: Strike) -> None:
        """several at once"""
        strike.is_short = True
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            async with asyncio.TaskGroup() as group:
                for fault in strike.chance.sample(MIXABLE, AT_ONCE):
                    group.create_task(_run(fault, strike))

    return mix


def beside(long: Fault, short: Sequence[Fault]) -> Fault:
    """Return a fault that is one long one, with others after each other beside it."""

    async def both(strike: Strike) -> None:
        """one beside others"""
        async with asyncio.TaskGroup() as group:
            group.create_task(_run(long, strike))
            for fault in short:
                await fault(strike)

    return both


async def _run(fault: Fault, strike: Strike) -> None:
    await fault(strike)
