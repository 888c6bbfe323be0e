"""Manifests looked up together: who asks while others do is answered by the next statement.

An idle process asks at once and for one; a busy one pays a round trip for many, and what several
want is read once. Nothing is remembered: an answer is never older than its question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from database.pool import Database
from registry.metadata import manifests
from registry.metadata.manifests import Found, Wanted

AT_ONCE: Final = 2  # statements under way; a slow one does not stop everybody
LARGEST_TURN: Final = 32  # bodies of a turn are in memory at once

_Waiting = tuple[Wanted, asyncio.Future[Found | None]]


class LookUps:
    """Looks manifests up for one process."""

    def __init__(self, database: Database) -> None:
        self._lanes = {body: _Lane(database, with_body=body) for body in (True, False)}

    async def find(self, wanted: Wanted, *, with_body: bool) -> Found | None:
        """Return a manifest as it is after this was called; raise what Postgres raises."""
        return await self._lanes[with_body].find(wanted)


class _Lane:
    """Questions of one kind."""

    def __init__(self, database: Database, *, with_body: bool) -> None:
        self._database = database
        self._with_body = with_body
        self._under_way = 0
        self._waiting: list[_Waiting] = []
        self._turns: set[asyncio.Task[None]] = set()

    async def find(self, wanted: Wanted) -> Found | None:
        if self._under_way >= AT_ONCE:
            answer: asyncio.Future[Found | None] = asyncio.get_running_loop().create_future()
            self._waiting.append((wanted, answer))
            return await answer
        self._under_way += 1
        try:
            async with self._database.connection() as connection:
                return await manifests.find(
                    connection, wanted.repository, wanted.reference, with_body=self._with_body
                )
        finally:
            self._next()

    def _next(self) -> None:
        """Let those go on who waited for the end of a statement."""
        self._under_way -= 1
        if self._waiting:
            turn, self._waiting = self._waiting[:LARGEST_TURN], self._waiting[LARGEST_TURN:]
            self._under_way += 1
            task = asyncio.create_task(self._take(turn))
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)

    async def _take(self, turn: Sequence[_Waiting]) -> None:
        try:
            wanted = tuple({wanted for wanted, answer in turn if not answer.done()})
            async with self._database.connection() as connection:
                found = await manifests.find_all(connection, wanted, with_body=self._with_body)
        except Exception as error:  # noqa: BLE001  it is raised where the question was asked
            for _, answer in turn:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for asked, answer in turn:
                if not answer.done():
                    answer.set_result(found.get(asked))
        finally:
            self._next()
