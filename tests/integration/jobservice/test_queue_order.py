"""In which order workers find what the dispatcher rang for."""

from __future__ import annotations

from jobservice import queue
from jobservice.queue import TaskQueue
from jobservice.store.dispatching import Delivery


async def test_what_a_dead_worker_held_goes_before_what_waits(valkey_url: str) -> None:
    waiting = [
        Delivery(task_id=number, number=1, queue="transfer", zone=None) for number in (1, 2, 3)
    ]
    rescued = Delivery(task_id=4, number=2, queue="transfer", zone=None, is_rescue=True)
    redis = queue.connect(valkey_url)
    try:
        tasks = TaskQueue(redis)
        await tasks.ring(waiting)
        await tasks.ring([rescued])
        found = await redis.zpopmin(queue.queue_name(None, "transfer"), 1)
    finally:
        await queue.close(redis)
    assert [key for key, _ in found] == [rescued.key.encode()]
