from __future__ import annotations

import asyncio

import pytest

from protocol import fence


class LostError(Exception):
    """What the fence of these tests raises."""


async def lost() -> None:
    raise LostError


async def held() -> None:
    pass


async def test_nothing_is_held_back_where_nothing_is_fenced() -> None:
    await fence.confirm()


async def test_what_is_fenced_is_held_back_once_it_is_lost() -> None:
    with fence.fenced(held):
        await fence.confirm()
    with fence.fenced(lost), pytest.raises(LostError):
        await fence.confirm()
    await fence.confirm()


async def test_tasks_that_begin_within_are_fenced_and_neighbours_are_not() -> None:
    async with asyncio.TaskGroup() as group:
        neighbour = group.create_task(fence.confirm())
        with fence.fenced(lost):
            within = asyncio.ensure_future(fence.confirm())
        await asyncio.wait([within])
    assert neighbour.exception() is None
    assert isinstance(within.exception(), LostError)
