"""The way to Redis: deliveries go in, a wake-up goes out. With worker.py the only door to arq.

What arq is used for: a job of one function, `run_task(task_id, delivery)`, as JSON under the id
"<task_id>.<delivery>" in a sorted set per queue. Redis may forget everything at any time; then the
canary key is gone too, and the dispatcher rings again for what Postgres says is queued.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Self

import orjson
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.jobs import serialize_job
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from typing_extensions import override

from jobservice.errors import QueueUnavailable
from jobservice.store.dispatching import Delivery

FUNCTION = "run_task"
DEFAULT_ZONE = "default"
WAKE_CHANNEL = "transship:wake"
CANARY_KEY = "transship:canary"
# Longer than anything waits in the shallow window; what expires is rung for again.
KEEP_MILLISECONDS = 24 * 3600 * 1000
AHEAD_MILLISECONDS = KEEP_MILLISECONDS
# So long one question to Redis may take, connecting included.
PATIENCE_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 2.0


def queue_name(zone: str | None, queue: str) -> str:
    """Return the name of the sorted set of a queue in a zone."""
    return f"transship:queue:{zone or DEFAULT_ZONE}.{queue}"


def serialize(value: Any) -> bytes:
    """Write arq's dictionaries as JSON; exceptions in them as their text."""
    return orjson.dumps(value, default=repr)


class _Steady(AbstractConnection):
    """Says what uvloop makes of a connection that is gone as redis-py says it of any other loop."""

    @override
    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command; raise ConnectionError also where uvloop raises RuntimeError."""
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise RedisConnectionError(str(error)) from error


def connect(dsn: str) -> ArqRedis:
    """Return a client; nothing is sent before first use. Whoever uses it sets a limit of time.

    Not `socket_timeout`: with it redis-py 5.3 sends under asyncio.wait_for, which before Python
    3.12 loses a cancellation that comes just then.
    """
    pool: ConnectionPool = ConnectionPool.from_url(
        dsn,
        socket_timeout=None,
        # Not `health_check_interval`: redis-py 5.3 checks while it connects, and connects while it
        # checks, without end when a server accepts and hangs up (a balancer whose Redis is away).
        # A connection that went stale while idle is replaced at once, once.
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[RedisConnectionError],
    )
    if not issubclass(pool.connection_class, UnixDomainSocketConnection):
        pool.connection_kwargs |= {
            "socket_keepalive": True,
            "socket_connect_timeout": CONNECT_TIMEOUT_SECONDS,
        }
    pool.connection_class = type("Connection", (_Steady, pool.connection_class), {})
    return ArqRedis(pool_or_conn=pool, job_serializer=serialize, job_deserializer=orjson.loads)


async def close(redis: ArqRedis) -> None:
    """Close a client that `connect` returned, its connections too."""
    await redis.aclose(close_connection_pool=True)


@asynccontextmanager
async def _asking(patience_seconds: float) -> AsyncIterator[None]:
    """Turn what redis raises, and its silence, into QueueUnavailable."""
    try:
        async with asyncio.timeout(patience_seconds):
            yield
    except (RedisError, OSError) as error:
        raise QueueUnavailable(str(error) or type(error).__name__) from error


class TaskQueue:
    """Everything the dispatcher needs of Redis. Every method raises QueueUnavailable."""

    def __init__(self, redis: ArqRedis, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._redis = redis
        self._patience_seconds = patience_seconds

    @classmethod
    @asynccontextmanager
    async def connected(cls, dsn: str) -> AsyncIterator[Self]:
        """Hand out a queue with a client of its own; Redis may be away."""
        redis = connect(dsn)
        try:
            yield cls(redis)
        finally:
            await close(redis)

    def _asking(self) -> AbstractAsyncContextManager[None]:
        return _asking(self._patience_seconds)

    async def ping(self) -> None:
        """Return when Redis answers."""
        async with self._asking():
            await self._redis.ping()

    async def ring(self, deliveries: Sequence[Delivery]) -> None:
        """Put deliveries in their queues and wake the workers; repeating it changes nothing."""
        if not deliveries:
            return
        now = int(time.time() * 1000)
        async with self._asking(), self._redis.pipeline(transaction=False) as pipe:
            for one in deliveries:
                job = serialize_job(
                    FUNCTION, (one.task_id, one.number), {}, None, now, serializer=serialize
                )
                pipe.set(job_key_prefix + one.key, job, px=KEEP_MILLISECONDS, nx=True)
                place = now - AHEAD_MILLISECONDS if one.is_rescue else now
                pipe.zadd(queue_name(one.zone, one.queue), {one.key: place}, nx=True)
            pipe.publish(WAKE_CHANNEL, b"")
            await pipe.execute()

    async def lost(self, deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
        """Return those that no worker will find: not there, or locked by a worker that died."""
        if not deliveries:
            return ()
        async with self._asking(), self._redis.pipeline(transaction=False) as pipe:
            for one in deliveries:
                pipe.zscore(queue_name(one.zone, one.queue), one.key)
                pipe.exists(in_progress_key_prefix + one.key)
            answers = await pipe.execute()
        pairs = zip(deliveries, answers[::2], answers[1::2], strict=True)
        return tuple(one for one, score, locked in pairs if score is None or locked)

    async def forget(self, deliveries: Sequence[Delivery]) -> None:
        """Remove what is left of deliveries that are void."""
        if not deliveries:
            return
        async with self._asking(), self._redis.pipeline(transaction=False) as pipe:
            for one in deliveries:
                pipe.zrem(queue_name(one.zone, one.queue), one.key)
                pipe.delete(
                    job_key_prefix + one.key,
                    in_progress_key_prefix + one.key,
                    retry_key_prefix + one.key,
                )
            await pipe.execute()

    async def remembers(self) -> bool:
        """Say whether Redis still knows what it was told; sets the canary that answers this."""
        async with self._asking():
            is_new = await self._redis.set(CANARY_KEY, b"1", nx=True)
        return not is_new
