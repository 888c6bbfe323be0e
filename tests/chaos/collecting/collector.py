"""A process that collects as fast as it can, in small batches, until it is killed.

`python -m tests.chaos.collecting.collector VARIANT`, where the environment says where. Now and then
it is held just before it deletes what it has released.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, cast

from jobservice.cli import installation
from jobservice.cli.installation import Installation
from registry import garbage, maintenance
from registry.collection import reviewing, sweeping
from registry.collection.reviewing import Scope
from registry.errors import RegistryStorageError
from registry.storage.driver import Storage, Undeleted
from registry.stored_object import StoredObject
from tests.chaos.collecting import haste, naive

IDLE_SECONDS: Final = 0.02
HELD_SECONDS: Final = 1.0
IS_HELD: Final = 0.3
OURS: Final = "ours"
NAIVE: Final = "naive"
BATCH: Final = 20


@dataclass(frozen=True, slots=True)
class HeldStorage:
    """What a sweep asks of a storage, which at times waits with it."""

    storage: Storage

    async def delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        """Wait with the rows released and the objects there, and delete them then."""
        chance = random.random()  # noqa: S311 - moments, not secrets
        if chance < IS_HELD:
            await asyncio.sleep(chance / IS_HELD * HELD_SECONDS)
        return await self.storage.delete(objects)


class Collect(Protocol):
    """One round; says whether there was anything to be done."""

    async def __call__(self, here: Installation, /) -> bool: ...


async def _naively(here: Installation) -> bool:
    async with here.database.transaction() as connection:
        await naive.collect(connection)
    return bool((await sweeping.sweep(here.database, here.storage)).objects)


async def _by_the_protocol(here: Installation) -> bool:
    reviewed = await reviewing.review(here.database, Scope(), limit=BATCH)
    held = cast("Storage", HeldStorage(here.storage))
    swept = await sweeping.sweep(here.database, held, limit=BATCH)
    return bool(reviewed.manifests or reviewed.links or reviewed.blobs or swept.objects)


VARIANTS: Final[Mapping[str, Collect]] = {OURS: _by_the_protocol, NAIVE: _naively}


async def collect(collects: Collect) -> None:
    """Go on for ever; a storage that fails is tried again."""
    garbage.LEASE = haste.MANIFEST_LEASE  # type: ignore[misc]  # as the database has it here
    settings = installation.settings_of(None, None)
    async with installation.opened(settings, name="collector") as here:
        while True:
            try:
                busy = await collects(here)
                busy |= bool(await maintenance.expire_uploads(here.database, here.storage))
            except RegistryStorageError:
                busy = False
            if not busy:
                await asyncio.sleep(IDLE_SECONDS)


def main() -> None:
    """Run one variant."""
    (variant,) = sys.argv[1:]
    asyncio.run(collect(VARIANTS[variant]))


if __name__ == "__main__":
    main()
