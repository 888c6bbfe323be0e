"""Tell the dispatcher that slots became free, wherever it runs: one ring for many tasks."""

from __future__ import annotations

import asyncio

from database.pool import Database
from jobservice.maintenance.leader import Leader
from jobservice.store import dispatching
from jobservice.store.executions import DISPATCH_CHANNEL

GATHER_SECONDS = 0.01


class DispatchBell:
    """`settled` notes that a task ended; `tick` rings once for all that were noted."""

    def __init__(self, database: Database, leader: Leader, dispatch: asyncio.Event) -> None:
        self._database = database
        self._leader = leader
        self._dispatch = dispatch
        self._has_news = False
        self.wake = asyncio.Event()

    def settled(self) -> None:
        """Note that a task of this process was settled."""
        self._has_news = True
        self.wake.set()

    async def tick(self) -> None:
        """Ring if there is news: an event if the dispatcher is here, NOTIFY if it is elsewhere."""
        if not self._has_news:
            return
        await asyncio.sleep(GATHER_SECONDS)
        self._has_news = False
        if self._leader.leadership is not None:
            self._dispatch.set()
            return
        async with self._database.connection() as connection:
            await dispatching.ring(connection, DISPATCH_CHANNEL)
