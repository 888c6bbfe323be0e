"""One arq worker per queue, made to survive Redis; several run in one process.

arq 0.28 is held at arm's length (reference: its failure behaviour). Used: its queue, its wire
format, its registry of functions. Not used: retries, results, cron, abort, hooks, timeouts, locks.
Changed: the poll loop takes everything there is room for at once, waits for a wake-up or half a
second, and neither it nor a running job dies with a Redis connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
import structlog
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.jobs import SerializationError, deserialize_job_raw
from arq.worker import Worker, func
from redis.exceptions import RedisError
from typing_extensions import override

from jobservice.queue import FUNCTION, PATIENCE_SECONDS, WAKE_CHANNEL, queue_name, serialize

POLL_SECONDS = 0.5
RECONNECT_SECONDS = 0.25

RunTask = Callable[[int, int], Awaitable[None]]
log = structlog.get_logger(__name__)


class QueueWorker(Worker):
    """Takes deliveries from one queue and hands them to `run_task`."""

    def __init__(self, redis: ArqRedis, *, name: str, slots: int, run_task: RunTask) -> None:
        async def claim_and_run(ctx: dict[Any, Any], task_id: int, delivery: int) -> None:
            del ctx
            await run_task(task_id, delivery)

        super().__init__(
            [func(claim_and_run, name=FUNCTION, max_tries=1, keep_result=0)],
            queue_name=name,
            redis_pool=redis,
            max_jobs=slots,
            keep_result=0,
            max_tries=1,
            retry_jobs=False,
            handle_signals=False,
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
        async with asyncio.TaskGroup() as jobs:
            while self.allow_pick_jobs:
                self._wake.clear()
                pause = POLL_SECONDS
                try:
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        taken = await self._taken()
                    for job in taken:
                        self.job_counter += 1
                        jobs.create_task(self._run(job))
                    self._report(None)
                except (RedisError, OSError) as error:
                    self._report(error)
                    pause = RECONNECT_SECONDS
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()

    async def _taken(self) -> list[bytes]:
        """Take what waits, up to the free slots, in two round trips however much that is.

        ZPOPMIN gives a delivery to one worker, and Postgres has the last word: no lock is needed.
        What is lost on the way is rung for again.
        """
        free = self.max_jobs - self.job_counter
        popped = await self.pool.zpopmin(self.queue_name, free) if free > 0 else []
        if not popped:
            return []
        async with self.pool.pipeline(transaction=False) as pipe:
            for job_id, _ in popped:
                pipe.getdel(job_key_prefix + job_id.decode())
            return [job for job in await pipe.execute() if job is not None]

    async def _run(self, job: bytes) -> None:
        try:
            name, arguments, _, _, _ = deserialize_job_raw(job, deserializer=orjson.loads)
            await self.functions[name].coroutine({}, *arguments)
        except (SerializationError, KeyError, TypeError):
            # Nobody here wrote that; a task that it may have been is rung for again.
            log.exception("delivery_unreadable", queue=self.queue_name)
        finally:
            self.job_counter -= 1
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
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await channel.subscribe(WAKE_CHANNEL)
                    self._wake_all()
                    while True:
                        await channel.get_message(ignore_subscribe_messages=True, timeout=10)
                        self._wake_all()
            await asyncio.sleep(RECONNECT_SECONDS)

    def _wake_all(self) -> None:
        for worker in self._workers:
            worker.wake()
