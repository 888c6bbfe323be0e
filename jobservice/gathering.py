"""One statement for everybody who waits: rows are handed in singly and written together.

While a turn is under way rows gather, and the next turn takes them all: an idle system answers at
once, a busy one pays one round trip and one commit for many. A row that cannot be written fails
alone: a turn that fails because of its content is repeated in halves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from jobservice.store.failures import POSTGRES_FAILURES

LARGEST_TURN = 500

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class Gatherer(Generic[Row, Answer]):
    """Gives each row that is handed in its answer from `write`, which answers in the rows' order.

    `write` is never called twice at the same time.
    """

    def __init__(self, write: Callable[[Sequence[Row]], Awaitable[Sequence[Answer]]]) -> None:
        self._write = write
        self._waiting: list[tuple[Row, asyncio.Future[Answer]]] = []
        self._news = asyncio.Event()

    async def hand_in(self, row: Row) -> Answer:
        """Return the row's answer; raise what writing it raised. Needs `run` to be running."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, answer))
        self._news.set()
        return await answer

    async def run(self) -> None:
        """Take turns until cancelled."""
        while True:
            await self._news.wait()
            turn, self._waiting = self._waiting[:LARGEST_TURN], self._waiting[LARGEST_TURN:]
            if not self._waiting:
                self._news.clear()
            await self._take(turn)

    async def _take(self, turn: Sequence[tuple[Row, asyncio.Future[Answer]]]) -> None:
        turn = [one for one in turn if not one[1].done()]
        if not turn:
            return
        try:
            answers = await self._write([row for row, _ in turn])
        except Exception as error:  # noqa: BLE001  it is raised where the row was handed in
            if len(turn) > 1 and not isinstance(error, POSTGRES_FAILURES):
                middle = len(turn) // 2
                await self._take(turn[:middle])
                await self._take(turn[middle:])
                return
            for _, waiting in turn:
                if not waiting.done():
                    waiting.set_exception(error)
            return
        for (_, waiting), answer in zip(turn, answers, strict=True):
            if not waiting.done():
                waiting.set_result(answer)
