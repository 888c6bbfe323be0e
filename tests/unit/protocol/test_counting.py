from __future__ import annotations

import asyncio

from protocol import counting


async def ask(times: int) -> None:
    for _ in range(times):
        counting.count_request()
        await asyncio.sleep(0)


async def test_tasks_begun_within_count_and_neighbours_do_not() -> None:
    async def piece_of_work(tasks: int) -> int:
        with counting.requests_made() as made:
            async with asyncio.TaskGroup() as group:
                for _ in range(tasks):
                    group.create_task(ask(2))
        return made.total

    async with asyncio.TaskGroup() as group:
        small, large = group.create_task(piece_of_work(1)), group.create_task(piece_of_work(5))
    assert (small.result(), large.result()) == (2, 10)


async def test_nobody_need_be_counting() -> None:
    with counting.requests_made() as made:
        pass
    await ask(3)
    assert made.total == 0
