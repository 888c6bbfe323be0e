"""One trial: owners at work while collectors run and processes die; quiet, and a look at it all."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from access.identity import SYSTEM
from database.pool import Database
from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.digest import Digest
from protocol.errors import NotFound
from protocol.retrying import Patience
from protocol.transport import Transport
from registry.collection import reviewing, undeleting, untagged
from registry.collection.errors import UndeleteError
from registry.collection.reviewing import Scope
from registry.service import Registry
from registry.storage.driver import Storage
from tests.acceptance.house import PASSWORD
from tests.chaos import places
from tests.chaos.collecting import audit, collector, contents, haste, naive
from tests.chaos.collecting.model import Model
from tests.chaos.collecting.owner import Back, Owner
from tests.chaos.places import KilledHouse, Place

OWNERS = 12
REPOSITORIES = 4
COLLECTORS = 2
PATIENCE_SECONDS = 120.0
DAWDLE_SECONDS = 0.3
LOOK_SECONDS = 0.05
STRIKE_SECONDS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to try: `rounds` of so many seconds, each followed by a quiet point.

    `kills`: processes die. `stops_at_first`: the first loss is enough. `patience_seconds`: how long
    what is to be collected may take when all is quiet.
    """

    seconds: float
    rounds: int
    seed: int
    variant: str = collector.OURS
    on_s3: bool = False
    kills: bool = True
    stops_at_first: bool = False
    patience_seconds: float = PATIENCE_SECONDS


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What a trial came to: what is missing or wrong, and what is there and should be gone."""

    counts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seconds: float = 0


async def run(folder: Path, wish: Wish) -> Verdict:
    """Try."""
    began = time.monotonic()
    chance = random.Random(wish.seed)  # noqa: S311 - moments and content, not secrets
    verdict = Verdict()
    at = places.bucket(chance) if wish.on_s3 else places.folder(folder / "storage")
    async with (
        at as place,
        places.house(folder, place) as house,
        _staged(house, place, wish, chance) as stage,
    ):
        for _ in range(wish.rounds):
            await stage.round()
            await stage.judge(verdict)
            if verdict.lost and wish.stops_at_first:
                break
        if wish.variant == collector.OURS:
            await stage.queue_untagged()
            await stage.judge(verdict, scope=Scope(ignore_delay=True, delete_untagged=True))
        for owner in stage.owners:
            verdict.counts += owner.counts
        verdict.counts += stage.kills
    verdict.seconds = time.monotonic() - began
    return verdict


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything that is on it."""

    house: KilledHouse
    place: Place
    wish: Wish
    chance: random.Random
    database: Database
    storage: Storage
    owners: Sequence[Owner]
    collectors: list[Process] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)

    async def round(self) -> None:
        """Let everybody do what they do, for a while."""
        stop = asyncio.Event()
        self.place.disturb()
        async with asyncio.TaskGroup() as group:
            if self.wish.kills:
                group.create_task(self._strike(stop))
            for owner in self.owners:
                group.create_task(self._work(owner, stop))
            await self._until_over()
            stop.set()
        self.place.calm()
        await self.heal()

    async def _until_over(self) -> None:
        ends_at = time.monotonic() + self.wish.seconds
        while time.monotonic() < ends_at:
            if self.wish.stops_at_first and any(owner.violations for owner in self.owners):
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _work(self, owner: Owner, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await owner.act()

    async def _strike(self, stop: asyncio.Event) -> None:
        """Kill a collector or the API at any moment, and start another."""
        for number in itertools.count():
            with suppress(TimeoutError):
                async with asyncio.timeout(self.chance.random() * STRIKE_SECONDS):
                    await stop.wait()
                return
            if number % (COLLECTORS + 1) == COLLECTORS:
                await self.house.kill_api()
                self.kills["API killed"] += 1
            else:
                running = self.collectors.pop(self.chance.randrange(len(self.collectors)))
                await self.house.end(running, signal.SIGKILL)
                self.kills["collector killed"] += 1
                await self.heal()

    async def heal(self) -> None:
        """Have all processes run that should."""
        if self.house.api is None or self.house.api.returncode is not None:
            await self.house.start_api()
        while len(self.collectors) < COLLECTORS:
            program = ("-m", "tests.chaos.collecting.collector", self.wish.variant)
            self.collectors.append(await self.house.start_program(*program))

    async def end_collectors(self) -> None:
        while self.collectors:
            await self.house.end(self.collectors.pop(), signal.SIGKILL)

    # When all is quiet

    async def queue_untagged(self) -> None:
        """Have what has no tag taken, too, as Harbor's run does."""
        for owner in self.owners:
            owner.model.lose_untagged()
        after: int | None = 0
        while after is not None:
            after = await untagged.queue_untagged(self.database, after=after, limit=audit.PAGE)

    async def judge(self, verdict: Verdict, *, scope: Scope | None = None) -> None:
        """Wait until nothing is left to be collected, and note what is not as it has to be.

        With a `scope` there is a run besides, that takes more than the collectors do.
        """
        connection = await self.house.connect()
        try:
            verdict.left += await self._settled(connection, scope)
            tables = await audit.read(connection)
        finally:
            await connection.close()
        for owner in self.owners:
            verdict.lost += owner.violations
            owner.violations.clear()
        verdict.lost += [line async for line in audit.faults(tables, self.storage)]
        for owner in self.owners:
            verdict.lost += [line async for line in self._lost(owner)]
            verdict.left += [line async for line in self._left_tags(owner)]

    async def _settled(self, connection: Any, scope: Scope | None) -> Sequence[str]:
        """Return when nothing is left that should go, or what is after a generous time."""
        gives_up_at = time.monotonic() + self.wish.patience_seconds
        while left := await self._left(connection):
            await haste.let_time_pass(connection)
            if scope is not None:
                await reviewing.review(self.database, scope)
            if time.monotonic() > gives_up_at:
                return left
            await asyncio.sleep(LOOK_SECONDS)
        return ()

    async def _left(self, connection: Any) -> Sequence[str]:
        tables = await audit.read(connection)
        found = list(audit.left(tables))
        digests = {(row["repository"], row["digest"]) for row in tables.manifests}
        for owner in self.owners:
            found += [
                f"owner {owner.number}: still there: {owner.model.tell(digest)}"
                for digest in owner.model.doomed()
                if (owner.store.repository, audit.stored(digest)) in digests
            ]
        return found

    async def _lost(self, owner: Owner) -> AsyncIterator[str]:
        """Yield what a repository has to hold and does not; then there is nothing unsure."""
        where, model = f"owner {owner.number} of {owner.store.repository}", owner.model
        for digest in model.certain():
            if problem := await owner.problem_of(str(digest), digest):
                yield f"{where}: {problem}; {model.tell(digest)}"
        for tag, digest in model.certain_tags().items():
            if await _target(owner, tag) != digest:
                yield f"{where}: tag {tag} does not lead to {model.tell(digest)}"
        model.settle({digest for digest in model.there if await _target(owner, str(digest))})

    async def _left_tags(self, owner: Owner) -> AsyncIterator[str]:
        async for page in owner.store.tags():
            for tag in page:
                if owner.owns(tag) and tag not in owner.model.tags:
                    yield f"tag {tag} is in {owner.store.repository}, and was deleted"


async def _target(owner: Owner, reference: str) -> Digest | None:
    try:
        return (await owner.store.resolve(reference)).digest
    except NotFound:
        return None


@asynccontextmanager
async def _staged(
    house: KilledHouse, place: Place, wish: Wish, chance: random.Random
) -> AsyncIterator[Stage]:
    connection = await house.connect()
    await haste.begin(connection)
    if wish.variant == collector.NAIVE:
        await naive.take_the_net_away(connection)
    await connection.close()
    async with AsyncExitStack() as stack:
        storage = await stack.enter_async_context(place.open())
        database = await Database.connect(
            house.postgres.dsn(), application_name="owners", max_size=OWNERS
        )
        stack.push_async_callback(database.close)
        transport = await stack.enter_async_context(Transport())
        owners = await _owners(house, database, storage, transport, chance)
        stage = Stage(
            house=house,
            place=place,
            wish=wish,
            chance=chance,
            database=database,
            storage=storage,
            owners=owners,
        )
        stack.push_async_callback(stage.end_collectors)
        await stage.heal()
        yield stage


async def _owners(
    house: KilledHouse,
    database: Database,
    storage: Storage,
    transport: Transport,
    chance: random.Random,
) -> Sequence[Owner]:
    """Return owners, three to a repository; every other one comes over the wire."""
    registry = Registry(database, storage)
    client = RegistryClient(
        transport,
        url=house.url,
        credential=Credential(username="admin", password=PASSWORD),
        patience=Patience(attempts=1),
    )
    names = [f"library/gc-{number}" for number in range(REPOSITORIES)]
    await registry.prepare(names[0])

    async def pause() -> None:
        await asyncio.sleep(chance.random() * DAWDLE_SECONDS)

    async def ask_back(repository: str, digest: Digest) -> Back | None:
        try:
            back = await undeleting.undelete(database, repository, str(digest), by="owner")
        except UndeleteError:
            return None
        return back.digests, back.tags

    found = []
    for number in range(OWNERS):
        name = names[number % REPOSITORIES]
        by_wire = number // REPOSITORIES % 2 == 0
        store = (
            client.repository(name, writes=True) if by_wire else registry.repository(name, SYSTEM)
        )
        model = Model(universe=contents.universe(number))
        found.append(
            Owner(
                model=model,
                store=store,
                others=names,
                chance=random.Random(chance.random()),  # noqa: S311 - as above
                pause=pause,
                undelete=ask_back,
                number=number,
                by_wire=by_wire,
            )
        )
    return found
