"""The same nothing done by others: procrastinate on Postgres, arq on Redis; workers and queues.

Run as a program it is a worker: `python -m bench.job_peers procrastinate|arq DSN SLOTS`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import procrastinate
import uvloop
from arq.connections import RedisSettings, create_pool
from arq.worker import Worker, func

from jobservice import signals

ARQ_POLL_SECONDS: Final = 0.05
_AT_ONCE: Final = 1000


def procrastinate_app(dsn: str) -> tuple[procrastinate.App, Any]:
    """Return the application and its one task."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

    @app.task(name="nothing")
    async def nothing() -> None:
        """Do nothing."""

    return app, nothing


async def prepare_procrastinate(dsn: str) -> None:
    """Make its tables."""
    app, _ = procrastinate_app(dsn)
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def fill_procrastinate(dsn: str, count: int) -> None:
    """Defer so many jobs, many at a time."""
    app, nothing = procrastinate_app(dsn)
    async with app.open_async():
        for _ in range(count // _AT_ONCE):
            await nothing.batch_defer_async(*[{} for _ in range(_AT_ONCE)])


async def fill_arq(dsn: str, count: int) -> None:
    """Enqueue so many jobs, many at a time."""
    pool = await create_pool(_redis_settings(dsn))
    try:
        for _ in range(count // _AT_ONCE):
            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(pool.enqueue_job("nothing"))
    finally:
        await pool.aclose()


def _redis_settings(dsn: str) -> RedisSettings:
    return RedisSettings(unix_socket_path=urlsplit(dsn).path)


async def _arq_nothing(ctx: Mapping[Any, Any]) -> None:
    del ctx


async def _work_arq(dsn: str, slots: int) -> None:
    worker = Worker(
        [func(_arq_nothing, name="nothing", keep_result=0)],
        redis_settings=_redis_settings(dsn),
        max_jobs=slots,
        poll_delay=ARQ_POLL_SECONDS,
        keep_result=0,
        handle_signals=False,
    )
    async with asyncio.TaskGroup() as group:
        working = group.create_task(worker.async_run())
        await signals.stop_requested().wait()
        working.cancel()


async def _work_procrastinate(dsn: str, slots: int) -> None:
    app, _ = procrastinate_app(dsn)
    async with app.open_async():
        await app.run_worker_async(concurrency=slots, wait=True, shutdown_graceful_timeout=5)


async def main(who: str, dsn: str, slots: str) -> None:
    """Work until told to end."""
    work = _work_arq if who == "arq" else _work_procrastinate
    await work(dsn, int(slots))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
