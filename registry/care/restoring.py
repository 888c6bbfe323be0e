"""Putting a backup's objects into a storage: those that are there stay, each other is verified.

Objects come before the database's rows, as in everything else here.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol.hashing import Hasher
from registry.care import backup_place, linking
from registry.care.backup_place import BackupPlace
from registry.care.errors import BrokenBackup
from registry.errors import ObjectMissing
from registry.metadata.backups import BlobObject
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage
from registry.stored_object import StoredObject

OBJECTS_AT_ONCE: Final = 4
_PIECE_BYTES: Final = 1024 * 1024
_EXAMPLES: Final = 5


@dataclass(slots=True, kw_only=True)
class Restored:
    """What came back: objects that were there already, linked or copied ones, and those lost."""

    there: int = 0
    linked: int = 0
    copied: int = 0
    lost: int = 0


class ObjectRestore:
    """The objects of one backup on their way into a storage."""

    def __init__(self, storage: Storage, place: BackupPlace, listed: Path, *, links: bool) -> None:
        self._storage = storage
        self._place = place
        self._listed = listed
        self._links = links
        self.restored = Restored()

    @property
    def done(self) -> int:
        """How many objects are in the storage."""
        return self.restored.there + self.restored.linked + self.restored.copied

    async def check(self, *, incomplete: bool) -> None:
        """Count what neither backup nor storage has; raise BrokenBackup unless that is wanted."""
        examples = []
        for found in backup_place.objects(self._listed):
            if not await asyncio.to_thread(self._place.has, found) and not await self._has(found):
                self.restored.lost += 1
                examples.append(str(found.digest))
                del examples[_EXAMPLES:]
        if examples and not incomplete:
            raise BrokenBackup(
                f"{self.restored.lost} objects are missing from the backup, such as "
                f"{', '.join(examples)}: --incomplete restores what is there"
            )

    async def run(self, tick: Callable[[], object]) -> None:
        """Put all objects; `tick` is called after each. Raise BrokenBackup for damaged ones."""
        objects = backup_place.objects(self._listed)

        async def put() -> None:
            for found in objects:
                await self._object(found)
                tick()

        async with asyncio.TaskGroup() as group:
            for _ in range(OBJECTS_AT_ONCE):
                group.create_task(put())

    async def _object(self, found: BlobObject) -> None:
        if await self._has(found):
            self.restored.there += 1
        elif not await asyncio.to_thread(self._place.has, found):
            return  # counted by `check`
        elif self._links and await asyncio.to_thread(self._link, found):
            self.restored.linked += 1
        else:
            await self._copy(found)
            self.restored.copied += 1

    async def _has(self, found: BlobObject) -> bool:
        try:
            return await self._storage.size_bytes(StoredObject(found.key)) == found.size_bytes
        except ObjectMissing:
            return False

    def _link(self, found: BlobObject) -> bool:
        if not isinstance(self._storage, FilesystemStorage):
            return False
        final = self._storage.path(found.key)
        final.unlink(missing_ok=True)  # it has another size, or is not there
        if not linking.hard(self._place.path(found), final):
            return False
        linking.fsync_folder(final.parent)
        return True

    async def _copy(self, found: BlobObject) -> None:
        partial = await self._storage.open_partial(uuid.uuid4())
        hasher = Hasher(found.digest.algorithm)
        try:
            await partial.resume(found.key, offset_bytes=0, state=None)
            async for piece in _pieces(self._place.path(found)):
                await partial.write([piece], offset_bytes=hasher.bytes_hashed, alongside=_ignore)
                hasher.update(piece)
            await partial.settle()
            if hasher.digest() != found.digest:
                await partial.discard()
                raise BrokenBackup(
                    f"{self._place.path(found)} is damaged: its bytes are {hasher.digest()}, not "
                    f"{found.digest}; take it out to restore without it (--incomplete)"
                )
            await partial.publish(found.size_bytes, found.digest)
        finally:
            await partial.close()


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


def _ignore(chunk: bytes) -> None:
    del chunk
