"""Everything that is on it: owners, the jobs that are asked for, and processes that die."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from database.pool import Connection
from tests.chaos.collecting import haste, keeper
from tests.chaos.collecting.keeper import Keeper, Ward
from tests.chaos.collecting.owner import Owner
from tests.chaos.places import KilledHouse, Place

COLLECTORS = 2
WORKERS = 2
LOOK_SECONDS = 0.05
STRIKE_SECONDS = 4.0
COLLECTOR = "tests.chaos.collecting.collector"
WORKER = "tests.chaos.collecting.worker"


@dataclass(slots=True, kw_only=True)
class Stage:
    """`kills`: processes die meanwhile. Without a `keeper` there are no jobs, and no workers."""

    house: KilledHouse
    place: Place
    kills: bool
    stops_at_first: bool
    variant: str
    chance: random.Random
    connection: Connection
    owners: Sequence[Owner]
    keeper: Keeper | None
    wards: Sequence[Ward]
    counts: Counter[str] = field(default_factory=Counter)
    collectors: list[Process] = field(default_factory=list)
    workers: list[Process] = field(default_factory=list)

    async def round(self, seconds: float) -> None:
        """Let everybody do what they do, for a while; jobs come to their end."""
        stop = asyncio.Event()
        self.place.disturb()
        async with asyncio.TaskGroup() as group:
            if self.kills:
                group.create_task(self._strike(stop))
            for owner in self.owners:
                group.create_task(self._work(owner, stop))
            if self.keeper is not None:
                for ward in self.wards:
                    group.create_task(self.keeper.retain(ward, stop))
                for _ in range(keeper.COLLECTIONS):
                    group.create_task(self.keeper.collect(stop))
            await self._until_over(seconds)
            stop.set()
        self.counts["calls to S3 failed"] += self.place.calm()
        await self.heal()

    async def _until_over(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            if self.stops_at_first and any(owner.violations for owner in self.owners):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _work(self, owner: Owner, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await owner.act()

    async def _strike(self, stop: asyncio.Event) -> None:
        """Kill a collector, a worker or the API at any moment, and start another."""
        victims = [self._kill_collector, self._kill_worker, self._kill_api]
        if self.keeper is None:
            victims.remove(self._kill_worker)
        for victim in itertools.cycle(victims):
            with suppress(TimeoutError):
                async with asyncio.timeout(self.chance.random() * STRIKE_SECONDS):
                    await stop.wait()
                return
            await victim()

    async def _kill_collector(self) -> None:
        await self._kill(self.collectors, "collector killed")

    async def _kill_worker(self) -> None:
        pid = await self._kill(self.workers, "worker killed")
        await haste.bury(self.connection, pid)

    async def _kill_api(self) -> None:
        await self.house.kill_api()
        self.counts["API killed"] += 1

    async def _kill(self, running: list[Process], name: str) -> int:
        killed = running.pop(self.chance.randrange(len(running)))
        await self.house.end(killed, signal.SIGKILL)
        self.counts[name] += 1
        await self.heal()
        return killed.pid

    async def heal(self) -> None:
        """Have all processes run that should."""
        if self.house.api is None or self.house.api.returncode is not None:
            await self.house.start_api()
        while len(self.collectors) < COLLECTORS:
            started = await self.house.start_program("-m", COLLECTOR, self.variant)
            self.collectors.append(started)
        while self.keeper is not None and len(self.workers) < WORKERS:
            self.workers.append(await self.house.start_program("-m", WORKER))

    async def end_programs(self) -> None:
        """Kill collectors and workers."""
        for running in (self.collectors, self.workers):
            while running:
                await self.house.end(running.pop(), signal.SIGKILL)
