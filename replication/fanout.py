"""Do something for each of many, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


async def for_each(
    items: Iterable[Item], work: Callable[[Item], Awaitable[None]], *, at_once: int
) -> None:
    """Await `work` for every item, at most `at_once` together, in no fixed order.

    The first failure cancels the rest and is raised as itself, not as a group.
    """
    waiting = list(items)
    if not waiting:
        return
    if len(waiting) == 1:
        await work(waiting[0])
        return
    queue = iter(waiting)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(waiting))):
                group.create_task(_drain(queue, work))
    except BaseExceptionGroup as failures:
        error = first(failures)
        raise error from error.__cause__


async def _drain(queue: Iterator[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    for item in queue:
        await work(item)


def first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the failure that came first, however deep its group is nested."""
    found: BaseException = failures
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
