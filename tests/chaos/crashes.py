"""`make crashes`: the API is killed again and again while thousands of pushes are under way.

Exits with 1 if anything that was acknowledged is missing or changed, or anything dangles.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp

from database import migrations
from database.pool import Database
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from jobservice.supervisor.embedded_valkey import EmbeddedValkey
from registry.care.fault import Finding
from registry.care.verifying import Verification, Wish
from registry.storage import s3 as s3_storage
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage
from tests.chaos.house import House
from tests.chaos.pushing import Crowd
from tests.fakes import s3

PUSHES = 10_000
KILLS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the pushes: `wrong` and `findings` have to be empty."""

    images: int
    blobs: int
    requests: int
    interrupted: int
    kills: int
    seconds: float
    wrong: Sequence[str]
    findings: Sequence[Finding]


async def trial(
    folder: Path, *, pushes: int, kills: int, seed: int, on_s3: bool = False
) -> Outcome:
    """Push while the API is killed at any moment; then look at everything.

    An S3 is moto's, behind a proxy that fails every tenth call, each time in another way.
    """
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    began = time.monotonic()
    async with (
        _bucket(chance) if on_s3 else _folder(folder / "storage") as place,
        _house(folder, place) as house,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
    ):
        crowd = Crowd(url=house.url, session=session)
        crowd.up.set()
        async with asyncio.TaskGroup() as group:
            pushing = group.create_task(crowd.push(pushes))
            struck = group.create_task(_strike(house, crowd, chance, kills, pushes=pushes))
            await pushing
            struck.cancel()
        place.calm()
        ledger = crowd.ledger
        return Outcome(
            images=len(ledger.images),
            blobs=len(ledger.blobs),
            requests=ledger.requests,
            interrupted=ledger.interrupted,
            kills=house.kills,
            seconds=time.monotonic() - began,
            wrong=await crowd.pulled_wrong(),
            findings=await _verified(house, place),
        )


async def _strike(
    house: KilledHouse, crowd: Crowd, chance: random.Random, kills: int, *, pushes: int
) -> None:
    """Kill the API after any number of requests, and start it again at once."""
    between = 2 * REQUESTS_A_PUSH * pushes // (kills + 1)
    while True:
        await crowd.ledger.after(chance.randint(1, between))
        crowd.up.clear()
        await house.end(house.api, signal.SIGKILL)
        house.kills += 1
        await house.start_api()
        crowd.up.set()


# What a push takes when nothing is shared and nobody dies.
REQUESTS_A_PUSH = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the blobs are: settings of the API, the storage for an audit, an end of all faults."""

    settings: Mapping[str, str]
    open: Callable[[], AbstractAsyncContextManager[Storage]]
    calm: Callable[[], None]


@asynccontextmanager
async def _folder(path: Path) -> AsyncIterator[Place]:
    settings = {"TRANSSHIP_STORAGE": f"file://{quote(str(path))}"}
    yield Place(
        settings=settings,
        open=lambda: nullcontext(FilesystemStorage(path)),
        calm=lambda: None,
    )


@asynccontextmanager
async def _bucket(chance: random.Random) -> AsyncIterator[Place]:
    with s3.running() as upstream:
        async with s3.proxied(upstream) as proxy:
            address = s3.address(proxy.url, prefix="registry")
            await s3.make_bucket(address)
            faults = list(s3.Fault)
            proxy.restart(lambda call: chance.choice(faults) if call % 10 == 0 else None)
            yield Place(
                settings={
                    "TRANSSHIP_STORAGE": s3.storage_url(address),
                    "TRANSSHIP_S3_ENDPOINT": address.endpoint or "",
                    "TRANSSHIP_S3_REGION": address.region or "",
                    "TRANSSHIP_S3_ACCESS_KEY": address.access_key or "",
                    "TRANSSHIP_S3_SECRET_KEY": address.secret_key or "",
                    "TRANSSHIP_S3_PATH_STYLE": "true",
                    "TRANSSHIP_STORAGE_REDIRECT": "false",
                },
                open=lambda: s3_storage.opened(address, redirects=False),
                calm=proxy.restart,
            )


@dataclass(slots=True)
class KilledHouse(House):
    """A house without workers, whose API is killed."""

    kills: int = 0


@asynccontextmanager
async def _house(folder: Path, place: Place) -> AsyncIterator[KilledHouse]:
    (folder / "storage").mkdir(parents=True, exist_ok=True)
    house = KilledHouse(
        folder=folder,
        postgres=EmbeddedPostgres(folder=folder / "pg", die_with_parent=True),
        valkey=EmbeddedValkey(folder=folder / "valkey", die_with_parent=True),
        more_settings=place.settings,
    )
    async with AsyncExitStack() as stack:
        for server in (house.postgres, house.valkey):
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
        await migrations.apply(house.postgres.dsn())
        await house.start_api()
        stack.push_async_callback(_end, house)
        yield house


async def _end(house: House) -> None:
    await house.end(house.api, signal.SIGKILL)


async def _verified(house: House, place: Place) -> list[Finding]:
    """Audit everything, what is a moment old, too."""
    database = await Database.connect(house.postgres.dsn(), application_name="crashes", max_size=6)
    try:
        async with place.open() as storage:
            audit = Verification(database, storage, Wish(safe_age=timedelta(0)))
            return [one async for one in audit.run() if one is not None]
    finally:
        await database.close()


def main() -> int:
    """Push, kill, look; say what came of it."""
    parser = argparse.ArgumentParser(prog="make crashes", description=__doc__)
    parser.add_argument("--pushes", type=int, default=PUSHES)
    parser.add_argument("--kills", type=int, default=KILLS, help="about how many")
    parser.add_argument("--s3", action="store_true", help="on S3, of which every tenth call fails")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tscrash-") as name:
        outcome = asyncio.run(
            trial(Path(name) / "house", pushes=wanted.pushes, kills=wanted.kills, seed=wanted.seed)
        )
    sys.stdout.write(
        f"seed {wanted.seed}: {outcome.images} images ({outcome.blobs} blobs) acknowledged in "
        f"{outcome.seconds:.0f} s, {outcome.requests} requests, the API killed {outcome.kills} "
        f"times, {outcome.interrupted} pushes begun again; {len(outcome.wrong)} missing or "
        f"changed, {len(outcome.findings)} findings\n"
    )
    for line in (*outcome.wrong, *map(str, outcome.findings)):
        sys.stdout.write(f"  {line}\n")
    return int(bool(outcome.wrong or outcome.findings))


if __name__ == "__main__":
    sys.exit(main())
