"""Rows that wait are written together, and a bad one fails alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from database.errors import DatabaseUnavailable
from jobservice.gathering import Gatherer
from tests.fakes.together import together


class Table:
    """Doubles numbers, refuses odd turns of events, and remembers its turns."""

    def __init__(self) -> None:
        self.turns: list[list[int]] = []
        self.free = asyncio.Event()
        self.free.set()
        self.taken = asyncio.Event()

    async def write(self, rows: Sequence[int]) -> list[int]:
        self.turns.append(list(rows))
        self.taken.set()
        await self.free.wait()
        if any(row < 0 for row in rows):
            raise ValueError("below zero")
        if 99 in rows:
            raise DatabaseUnavailable("away")
        return [2 * row for row in rows]


@contextlib.asynccontextmanager
async def gathering(table: Table) -> AsyncIterator[Gatherer[int, int]]:
    gatherer = Gatherer(table.write)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(gatherer.run())
        yield gatherer
        running.cancel()


async def test_a_row_alone_is_written_at_once() -> None:
    table = Table()
    async with gathering(table) as gatherer:
        assert await gatherer.hand_in(4) == 8
    assert table.turns == [[4]]


async def test_what_comes_during_a_turn_is_the_next_one() -> None:
    table = Table()
    table.free.clear()
    async with gathering(table) as gatherer, asyncio.TaskGroup() as group:
        first = group.create_task(gatherer.hand_in(1))
        await table.taken.wait()
        others = [group.create_task(gatherer.hand_in(row)) for row in (2, 3, 4)]
        await asyncio.sleep(0)
        table.free.set()
        assert await first == 2
        assert [await other for other in others] == [4, 6, 8]
    assert table.turns == [[1], [2, 3, 4]]


async def test_a_bad_row_fails_alone() -> None:
    table = Table()
    async with gathering(table) as gatherer:
        answers = await together(*(gatherer.hand_in(row) for row in (1, 2, -3, 4, 5)))
    assert [answer for answer in answers if isinstance(answer, int)] == [2, 4, 8, 10]
    assert isinstance(answers[2], ValueError)


async def test_a_database_that_is_away_is_not_asked_again_for_every_row() -> None:
    table = Table()
    async with gathering(table) as gatherer:
        answers = await together(*(gatherer.hand_in(row) for row in (1, 99, 2)))
    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    assert table.turns == [[1, 99, 2]]


async def test_who_does_not_wait_any_more_is_left_out() -> None:
    table = Table()
    table.free.clear()
    async with gathering(table) as gatherer, asyncio.TaskGroup() as group:
        first = group.create_task(gatherer.hand_in(1))
        await table.taken.wait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await gatherer.hand_in(2)
        third = group.create_task(gatherer.hand_in(3))
        table.free.set()
        assert (await first, await third) == (2, 6)
    assert table.turns == [[1], [3]]
