"""Taking one blob from another registry's storage: named, linked, verified, then a row.

In that order (decision 0007: bytes before rows), and each digest is free to be tried again: what a
killed import left is buried by the next, and what is here already is only linked to its repository.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from database.pool import Database
from protocol.digest import Digest
from protocol.hashing import Hasher
from registry.care.old_storage import OldStorage
from registry.care.taken import Taken
from registry.metadata import adoptions, blobs
from registry.metadata.adoptions import Adoption
from registry.storage.driver import Storage
from registry.stored_object import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopter:
    """Takes blobs for the repositories here; `quick` trusts their sizes and hashes nothing."""

    database: Database
    storage: Storage
    old: OldStorage
    storage_id: int
    quick: bool
    taken: Taken = field(default_factory=Taken)
    seen: set[Digest] = field(default_factory=set)  # by a dry run
    turns: WeakValueDictionary[Digest, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def take(self, digest: Digest, size_bytes: int | None, *, repository_id: int) -> str:
        """Make a blob part of a repository; return what is wrong with it, empty for nothing.

        Of several that want the same one, the first takes it.
        """
        async with self.turns.setdefault(digest, asyncio.Lock()):
            return await self._take(digest, size_bytes, repository_id)

    async def _take(self, digest: Digest, size_bytes: int | None, repository_id: int) -> str:
        there, fault = await self._there(digest, size_bytes)
        if fault:
            return fault
        if await self._mounted(digest, repository_id):
            self.taken.blobs_here += 1
            return ""
        if there is None:
            return _missing(digest)
        adoption = Adoption(
            storage_id=self.storage_id,
            digest=digest,
            size_bytes=there,
            storage_key=uuid.uuid4(),
            adopted_path=self.old.adopted_path(digest),
        )
        fault = await self._adopt(adoption, repository_id)
        if fault:
            async with self.database.connection() as connection:
                await adoptions.give_up(connection, adoption)
        return fault

    async def look(self, digest: Digest, size_bytes: int | None) -> str:
        """Return what would be wrong with a blob, as far as sizes tell; change nothing."""
        async with self.turns.setdefault(digest, asyncio.Lock()):
            return await self._look(digest, size_bytes)

    async def _look(self, digest: Digest, size_bytes: int | None) -> str:
        there, fault = await self._there(digest, size_bytes)
        async with self.database.connection() as connection:
            is_here = digest in self.seen or await adoptions.has_blob(connection, digest)
        if fault or (there is None and not is_here):
            return fault or _missing(digest)
        self.seen.add(digest)
        self.taken.blobs_here += is_here
        self.taken.blobs += not is_here
        self.taken.blob_bytes += 0 if is_here else there or 0
        return ""

    async def _there(self, digest: Digest, size_bytes: int | None) -> tuple[int | None, str]:
        there = await self.old.size_bytes(digest)
        if there is None or size_bytes in {None, there}:
            return there, ""
        return there, f"{digest} has {there} bytes there and {size_bytes} in the manifest"

    async def _mounted(self, digest: Digest, repository_id: int) -> bool:
        async with self.database.connection() as connection:
            found = await blobs.mount(connection, repository_id, digest, source=None)
        return found is not None

    async def _adopt(self, adoption: Adoption, repository_id: int) -> str:
        async with self.database.transaction() as connection:
            await adoptions.intend(connection, adoption)
        is_ours = await self.old.adopt(adoption.digest, adoption.storage_key)
        if not self.quick and (actual := await self._digest(adoption)) != adoption.digest:
            return f"{adoption.digest} is damaged there: its bytes are {actual}"
        async with self.database.connection() as connection:
            if not await blobs.adopt(connection, adoption, repository_id=repository_id):
                return f"{adoption.digest} is being taken by another import"
        self.taken.blobs += 1
        self.taken.blob_bytes += adoption.size_bytes
        self.taken.symbolic_links += not is_ours
        return ""

    async def _digest(self, adoption: Adoption) -> Digest:
        hasher = Hasher(adoption.digest.algorithm)
        async with self.storage.read(
            StoredObject(adoption.storage_key, adoption.adopted_path)
        ) as chunks:
            async for chunk in chunks:
                hasher.update(chunk)
        return hasher.digest()


def _missing(digest: Digest) -> str:
    return f"{digest} is not in the storage"
