"""One arq worker per queue, made to survive Redis; several run in one process.

arq 0.28 is held at arm's length (reference: its failure behaviour). Not used: retries, results,
cron, abort, hooks, timeouts. Changed: the poll loop waits for a wake-up or half a second, and
neither it nor a running job dies with a Redis connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import structlog
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.exceptions import RedisError
from typing_extensions import override

from jobservice.queue import FUNCTION, WAKE_CHANNEL, queue_name, serialize

POLL_SECONDS = 0.5
RECONNECT_SECONDS = 0.25
# arq wants a limit; ours are the job types'. It is also how long its lock outlives a dead worker,
# which is why that lock decides nothing.
JOB_TIMEOUT_SECONDS = 30 * 24 * 3600

RunTask = Callable[[int, int], Awaitable[None]]
log = structlog.get_logger(__name__)


class QueueWorker(Worker):
    """Takes deliveries from one queue and hands them to `run_task`."""

    def __init__(self, redis: ArqRedis, *, name: str, slots: int, run_task: RunTask) -> None:
        async def claim_and_run(ctx: Mapping[str, Any], task_id: int, delivery: int) -> None:
            # Running jobs stay in arq's sorted set and would hide what waits behind them.
            with contextlib.suppress(RedisError, OSError):
                await redis.zrem(name, ctx["job_id"])
            await run_task(task_id, delivery)

        super().__init__(
            [func(claim_and_run, name=FUNCTION, max_tries=1, keep_result=0)],
            queue_name=name,
            redis_pool=redis,
            max_jobs=slots,
            job_timeout=JOB_TIMEOUT_SECONDS,
            keep_result=0,
            max_tries=1,
            retry_jobs=False,
            handle_signals=False,
            poll_delay=POLL_SECONDS,
            job_serializer=serialize,
            job_deserializer=orjson.loads,
            log_results=False,
        )
        self._wake = asyncio.Event()
        self._is_cut_off = False

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    @override
    async def main(self) -> None:
        """Poll until `allow_pick_jobs` is cleared and the last job has ended."""
        while self.allow_pick_jobs or self.tasks:
            self._wake.clear()
            await asyncio.sleep(0)  # arq counts an ended job one turn of the loop later
            pause = POLL_SECONDS
            try:
                await self._poll_iteration()
                self._report(None)
            except (RedisError, OSError) as error:
                self._report(error)
                pause = RECONNECT_SECONDS
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    @override
    async def run_job(self, job_id: str, score: int) -> None:
        """Run a job; what arq cannot write to Redis afterwards is of no importance."""
        try:
            await super().run_job(job_id, score)
        except (RedisError, OSError) as error:
            log.info("redis_lost_beside_job", job=job_id, reason=str(error))
        finally:
            self._wake.set()

    def drain(self) -> None:
        """Take nothing more; `main` returns when the last job has ended."""
        self.allow_pick_jobs = False
        self._wake.set()

    def _report(self, error: Exception | None) -> None:
        if error is not None and not self._is_cut_off:
            log.warning("redis_unavailable", queue=self.queue_name, reason=str(error))
        if error is None and self._is_cut_off:
            log.info("redis_is_back", queue=self.queue_name)
        self._is_cut_off = error is not None


class WorkerGroup:
    """The queue workers of a process, and the listener that wakes them."""

    def __init__(
        self, redis: ArqRedis, *, zone: str | None, slots: Mapping[str, int], run_task: RunTask
    ) -> None:
        self._redis = redis
        self._workers = [
            QueueWorker(redis, name=queue_name(zone, queue), slots=count, run_task=run_task)
            for queue, count in slots.items()
        ]

    async def run(self) -> None:
        """Work until `drain` was called and the last job has ended."""
        async with asyncio.TaskGroup() as group:
            listener = group.create_task(self._listen())
            async with asyncio.TaskGroup() as workers:
                for worker in self._workers:
                    workers.create_task(worker.main())
            listener.cancel()

    def drain(self) -> None:
        """Take nothing more."""
        for worker in self._workers:
            worker.drain()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(RedisError, OSError):
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(WAKE_CHANNEL)
                    self._wake_all()
                    while True:
                        await channel.get_message(ignore_subscribe_messages=True, timeout=10)
                        self._wake_all()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _wake_all(self) -> None:
        for worker in self._workers:
            worker.wake()
