"""What collects in a process of its own: `python -m bench.collecting [STORAGE]`.

Reads the DSN and says in JSON what it came to, and how much memory it held meanwhile. With a folder
the objects go, too, at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from bench.processes import cpu_seconds, resident_bytes
from database.pool import Database
from registry.collection import reviewing, sweeping, untagged
from registry.collection.reviewing import Scope
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage

WORKERS: Final = 1  # as of a run that is not told otherwise
_PAGE: Final = 5000
_SAMPLE_SECONDS: Final = 0.25
_QUARTERS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a collection came to; of `samples_bytes` each is what the process held at one time."""

    manifests: int
    links: int
    blobs: int
    objects: int
    queueing_seconds: float
    seconds: float
    cpu_seconds: float
    samples_bytes: list[int] = field(repr=False)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Read what the process said."""
        return cls(**document)

    def resident_bytes(self) -> tuple[int, int]:
        """Return the most of the first quarter of the time and of the last."""
        count = max(1, len(self.samples_bytes) // _QUARTERS)
        return max(self.samples_bytes[:count]), max(self.samples_bytes[-count:])


async def collect(database: Database, storage: Storage | None) -> Collected:
    """Take all that is untagged, with all that only it needed; nobody waits for the delays."""
    samples: list[int] = []
    sampling = asyncio.create_task(_sample(samples))
    began = time.monotonic()
    after: int | None = 0
    while after is not None:
        after = await untagged.queue_untagged(database, after=after, limit=_PAGE)
    queued = time.monotonic()
    totals: Counter[str] = Counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(_review(database, totals))
    if storage is not None:
        await _sweep(database, storage, totals)
    ended = time.monotonic()
    sampling.cancel()
    return Collected(
        manifests=totals["manifests"],
        links=totals["links"],
        blobs=totals["blobs"],
        objects=totals["objects"],
        queueing_seconds=queued - began,
        seconds=ended - began,
        cpu_seconds=cpu_seconds(os.getpid()),
        samples_bytes=samples,
    )


async def _review(database: Database, totals: Counter[str]) -> None:
    scope, more = Scope(ignore_delay=True, delete_untagged=True), True
    while more:
        found = await reviewing.review(database, scope)
        totals.update(manifests=found.manifests, links=found.links, blobs=found.blobs)
        more = found.more


async def _sweep(database: Database, storage: Storage, totals: Counter[str]) -> None:
    more = True
    while more:
        swept = await sweeping.sweep(database, storage, release_now=True)
        totals["objects"] += swept.objects
        more = swept.more


async def _sample(samples: list[int]) -> None:
    while True:
        samples.append(resident_bytes(os.getpid()))
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _main() -> None:
    database = await Database.connect(
        sys.stdin.readline().strip(), application_name="collecting", max_size=WORKERS
    )
    try:
        folders = [FilesystemStorage(Path(name)) for name in sys.argv[1:]]
        collected = await collect(database, folders[0] if folders else None)
    finally:
        await database.close()
    document = {name: getattr(collected, name) for name in Collected.__slots__}
    sys.stdout.write(json.dumps(document) + "\n")


if __name__ == "__main__":
    asyncio.run(_main())
