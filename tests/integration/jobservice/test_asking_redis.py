"""Questions to Redis are given up in time, and at once by who is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from jobservice import queue
from jobservice.errors import QueueUnavailable
from jobservice.queue import TaskQueue
from jobservice.store.dispatching import Delivery

DEADLINE_SECONDS = 20
IMPATIENT_SECONDS = 0.1
DELIVERY = Delivery(task_id=1, number=1, queue="transfer", zone=None)

Ask = Callable[[TaskQueue], Awaitable[object]]
QUESTIONS: dict[str, Ask] = {
    "ping": lambda tasks: tasks.ping(),
    "ring": lambda tasks: tasks.ring([DELIVERY]),
    "lost": lambda tasks: tasks.lost([DELIVERY]),
    "forget": lambda tasks: tasks.forget([DELIVERY]),
    "remembers": lambda tasks: tasks.remembers(),
}


@pytest.fixture
async def silent_redis() -> AsyncIterator[str]:
    """Something that takes connections and says nothing, as a host does that hangs."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield f"redis://{host}:{port}"


@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_cancellation_is_lost_on_the_way_to_redis(valkey_url: str, question: str) -> None:
    async with TaskQueue.connected(valkey_url) as tasks:

        async def ask() -> None:
            while True:
                await QUESTIONS[question](tasks)

        async with asyncio.timeout(DEADLINE_SECONDS):
            for turns in range(100):
                async with asyncio.TaskGroup() as group:
                    asking = group.create_task(ask())
                    for _ in range(turns % 20):
                        await asyncio.sleep(0)
                    asking.cancel()
                assert asking.cancelled()


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_redis_that_says_nothing_is_unavailable(silent_redis: str, question: str) -> None:
    redis = queue.connect(silent_redis)
    tasks = TaskQueue(redis, patience_seconds=IMPATIENT_SECONDS)
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(QueueUnavailable):
            await QUESTIONS[question](tasks)
    await queue.close(redis)
