"""`storage import --commit`: what was taken becomes ours, and its originals go.

From the first moment on the storage counts as handed over, so that whatever interrupts this,
calling it again goes on. An original whose bytes are read where it lies, by a symbolic link or in
the same bucket, stays.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from database.pool import Database
from protocol.digest import Digest
from registry.care.errors import NotAdoptable
from registry.care.old_storage import OldStorage
from registry.metadata import adoptions

PAGE: Final = 500


@dataclass(slots=True, kw_only=True)
class HandedOver:
    """How many originals are gone, and how many are still read where they lie."""

    removed: int = 0
    removed_bytes: int = 0
    in_place: int = 0


async def is_committed(database: Database, old: OldStorage) -> bool:
    """Say whether a storage was handed over before."""
    async with database.connection() as connection:
        storage = await adoptions.find_storage(connection, old.location)
    return storage is not None and storage.committed_at is not None


class HandingOver:
    """One run; `done` counts what it came to."""

    def __init__(self, database: Database, old: OldStorage) -> None:
        self._database = database
        self._old = old
        self.done = HandedOver()

    async def run(self) -> AsyncIterator[None]:
        """Remove originals, page by page; yield after each."""
        async with self._database.transaction() as connection:
            storage = await adoptions.open_storage(connection, self._old.location)
            await adoptions.commit(connection, storage.id)
        after: Digest | None = None
        while True:
            async with self._database.connection() as connection:
                page = await adoptions.originals(connection, storage.id, after=after, limit=PAGE)
            if not page:
                return
            if page[0].is_held:
                raise NotAdoptable(
                    "a backup is running, which may still need what was deleted here: call "
                    "--commit again when it has ended, it goes on"
                )
            gone = [original for original in page if await self._old.release(original)]
            async with self._database.connection() as connection:
                await adoptions.forget(connection, storage.id, [one.digest for one in gone])
            self.done.removed += len(gone)
            self.done.removed_bytes += sum(one.size_bytes for one in gone)
            self.done.in_place += len(page) - len(gone)
            after = page[-1].digest
            yield
