"""Houses whose API is killed, and where their blobs are.

In a folder, or in moto's S3 behind a proxy that fails every tenth call, each time in another way.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from database import migrations
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from jobservice.supervisor.embedded_valkey import EmbeddedValkey
from registry.storage import s3 as s3_storage
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage
from tests.chaos.house import House
from tests.fakes import s3

FAILS_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the blobs are: settings of the API, the storage for an audit; an end of all faults.

    `calm` returns how many calls were failed, `disturb` begins again.
    """

    settings: Mapping[str, str]
    open: Callable[[], AbstractAsyncContextManager[Storage]]
    calm: Callable[[], int]
    disturb: Callable[[], None]


@asynccontextmanager
async def folder(path: Path) -> AsyncIterator[Place]:
    settings = {"TRANSSHIP_STORAGE": f"file://{quote(str(path))}"}
    yield Place(
        settings=settings,
        open=lambda: nullcontext(FilesystemStorage(path)),
        calm=lambda: 0,
        disturb=lambda: None,
    )


@asynccontextmanager
async def bucket(chance: random.Random) -> AsyncIterator[Place]:
    with s3.running() as upstream:
        async with s3.proxied(upstream) as proxy:
            address = s3.address(proxy.url, prefix="registry")
            await s3.make_bucket(address)
            faults = list(s3.Fault)

            def disturb() -> None:
                proxy.restart(
                    lambda call: chance.choice(faults) if call % FAILS_EVERY == 0 else None
                )

            def calm() -> int:
                failed = len(proxy.calls) // FAILS_EVERY
                proxy.restart()
                return failed

            disturb()
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
                calm=calm,
                disturb=disturb,
            )


@dataclass(slots=True)
class KilledHouse(House):
    """A house without workers, whose API is killed."""

    kills: int = 0

    async def kill_api(self) -> None:
        """Kill the API at once, and start another."""
        await self.end(self.api, signal.SIGKILL)
        self.kills += 1
        await self.start_api()


@asynccontextmanager
async def house(folder: Path, place: Place) -> AsyncIterator[KilledHouse]:
    (folder / "storage").mkdir(parents=True, exist_ok=True)
    built = KilledHouse(
        folder=folder,
        postgres=EmbeddedPostgres(folder=folder / "pg", die_with_parent=True),
        valkey=EmbeddedValkey(folder=folder / "valkey", die_with_parent=True),
        more_settings=place.settings,
    )
    async with AsyncExitStack() as stack:
        for server in (built.postgres, built.valkey):
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
        await migrations.apply(built.postgres.dsn())
        await built.start_api()
        stack.push_async_callback(_end, built)
        yield built


async def _end(built: House) -> None:
    await built.end(built.api, signal.SIGKILL)
