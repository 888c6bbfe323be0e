"""One trial's blows: who was hit when, which server was back when."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.house import House, Worker
from tests.chaos.load import WEATHER, Load
from tests.chaos.receiver import Receiver

LEASE_SECONDS = 25.0
CLAIM_SECONDS = 60.0


@dataclass(slots=True, kw_only=True)
class Strike:
    """What faults act on, and where they write down what they did.

    `hits` are processes that could not go on with what they held, `back` servers that could not
    be reached; both with the time from which recovery counts.
    """

    house: House
    load: Load
    receiver: Receiver
    chance: random.Random
    is_short: bool
    hits: list[tuple[int, float]] = field(default_factory=list)
    back: list[tuple[str, float]] = field(default_factory=list)

    def times(self, usual: int, short: int) -> int:
        """Return how often to do something."""
        return short if self.is_short else usual

    def some_worker(self) -> Worker:
        return self.chance.choice(self.house.workers)

    def hit(self, worker: Worker) -> None:
        """Note that a worker cannot go on from now."""
        self.hits.append((worker.pid, time.time()))

    def is_back(self, server: str) -> None:
        """Note that a server can be reached from now on."""
        self.back.append((server, time.time()))

    async def kill(self, worker: Worker) -> None:
        """Kill a worker; another process takes its place at once."""
        self.hit(worker)
        await self.restart(worker, signal.SIGKILL)

    async def restart(self, worker: Worker, how: signal.Signals) -> None:
        """End a worker and start a process in its place."""
        async with worker.changing:
            await self.house.end(worker.running, how)
            await self.house.start_worker(worker)
            self.receiver.pids.add(worker.pid)

    async def has_claimed(self, worker: Worker, count: int) -> None:
        """Wait until a worker's process has claimed so many tasks."""
        async with asyncio.timeout(CLAIM_SECONDS):
            while await self._asked(CLAIMS, worker.pid) < count:  # noqa: ASYNC110 - rows
                await asyncio.sleep(0.2)

    async def leader(self) -> Worker:
        """Return the worker that leads; wait until one does."""
        async with asyncio.timeout(LEASE_SECONDS):
            while True:
                role = await self._asked(LEADS)
                for worker in self.house.workers:
                    if worker.role == role:
                        return worker
                await asyncio.sleep(0.1)

    async def _asked(self, query: str, *arguments: object) -> Any:
        """Ask Postgres, and ask again where another fault cuts us off."""
        while True:
            connection = await self.house.connect()
            try:
                return await connection.fetchval(query, *arguments)
            except WEATHER:
                await asyncio.sleep(0.1)
            finally:
                connection.terminate()


CLAIMS = """
SELECT count(*) FROM jobservice.task_events JOIN chaos.workers USING (worker_id)
WHERE pid = $1 AND becomes = 'running'
"""
LEADS = """
SELECT chaos.role_of(worker_id) FROM jobservice.leader WHERE lease_until > clock_timestamp()
"""
