"""Rows of blobs against the objects that they name, both by key, a stretch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from database.pool import Database
from protocol.digest import Digest
from protocol.hashing import Hasher
from registry.care.fault import Broken, Fault, Finding, Seen
from registry.errors import ObjectMissing, RegistryStorageError
from registry.metadata import verification
from registry.metadata.verification import Recorded
from registry.storage.driver import ListedObject, Storage
from registry.stored_object import StoredObject

PAGE: Final = 1000
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)  # keys are random, and neither of these
_BATCH: Final = 16
_READ_AT_ONCE: Final = 4
_BROKEN_LIMIT: Final = 20


class ObjectAudit:
    """`hashes`: read what is there; `old`: what no row names and was written before is orphaned."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        seen: Seen,
        *,
        hashes: bool,
        repairs: bool,
        old: datetime,
    ) -> None:
        self._database = database
        self._storage = storage
        self._seen = seen
        self._hashes = hashes
        self._repairs = repairs
        self._old = old
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)

    async def run(self) -> AsyncIterator[Finding | None]:
        """Yield what is wrong; None now and then."""
        after = _FIRST
        while after != _LAST:
            page = await self._storage.objects(after=after, limit=PAGE)
            last = page[-1].key if len(page) == PAGE else _LAST
            async for step in self._stretch(after, last, page):
                yield step
            after = last
        async for step in self._adopted():
            yield step

    async def _stretch(
        self, after: UUID, last: UUID, page: Sequence[ListedObject]
    ) -> AsyncIterator[Finding | None]:
        """Compare the objects of a page with the rows whose keys lie between its ends."""
        self._seen.objects += len(page)
        self._seen.object_bytes += sum(one.size_bytes for one in page)
        listed = {one.key: one for one in page}
        while True:
            async with self._database.connection() as connection:
                rows = await verification.between(connection, after, last, limit=PAGE)
            async for step in self._judged(rows, listed):
                yield step
            for row in rows:
                listed.pop(row.stored.key, None)
            if len(rows) < PAGE:
                break
            after = rows[-1].stored.key
        async for finding in self._orphans(list(listed.values())):
            yield finding

    async def _adopted(self) -> AsyncIterator[Finding | None]:
        after = 0
        while True:
            async with self._database.connection() as connection:
                rows = await verification.adopted(connection, after, limit=PAGE)
            if not rows:
                return
            async for step in self._judged(rows, {}):
                yield step
            after = rows[-1].id

    async def _judged(
        self, rows: Sequence[Recorded], listed: dict[UUID, ListedObject]
    ) -> AsyncIterator[Finding | None]:
        for start in range(0, len(rows), _BATCH):
            batch = rows[start : start + _BATCH]
            async with asyncio.TaskGroup() as group:
                judging = [
                    group.create_task(self._judge(row, listed.get(row.stored.key))) for row in batch
                ]
            self._seen.blobs += len(batch)
            self._seen.blob_bytes += sum(row.size_bytes for row in batch)
            for judged in judging:
                if (finding := judged.result()) is not None:
                    yield self._seen.note(finding)
            yield None

    async def _judge(self, row: Recorded, listed: ListedObject | None) -> Finding | None:
        fault, reason = await self._fault(row, listed)
        if fault is None and not row.is_lost:
            return None
        async with self._database.connection() as connection:
            if not await verification.stands(connection, row):
                return None
            found = fault or Fault.FOUND_AGAIN
            repairs = self._repairs and found is not Fault.UNREADABLE
            if repairs:
                await verification.mark(connection, row, lost=found.is_loss)
            breaks = await verification.needing(connection, row, limit=_BROKEN_LIMIT)
        return Finding(
            fault=found,
            subject=str(row.digest),
            reason=reason or "marked as lost, and there",
            size_bytes=row.size_bytes,
            breaks=[
                Broken(repository=one.repository, digest=one.digest, tags=one.tags)
                for one in breaks
            ],
            breaks_count=breaks[0].total if breaks else 0,
            is_repaired=repairs,
        )

    async def _fault(self, row: Recorded, listed: ListedObject | None) -> tuple[Fault | None, str]:
        """Look at a blob's object; what no listing shows may have come since, or be adopted."""
        async with self._reading:
            try:
                size = listed.size_bytes if listed else await self._storage.size_bytes(row.stored)
                if size != row.size_bytes:
                    return Fault.WRONG_SIZE, f"{size} bytes instead of {row.size_bytes}"
                if self._hashes or row.is_lost:
                    actual = await self._digest(row)
                    if actual != row.digest:
                        return Fault.DAMAGED, f"its bytes are {actual}"
            except ObjectMissing:
                return Fault.MISSING, f"object {row.stored.key} is not in the storage"
            except (RegistryStorageError, OSError) as error:
                return Fault.UNREADABLE, str(error)
        return None, ""

    async def _digest(self, row: Recorded) -> Digest:
        hasher = Hasher(row.digest.algorithm)
        async with self._storage.read(row.stored) as chunks:
            async for chunk in chunks:
                await asyncio.to_thread(hasher.update, chunk)
                self._seen.hashed_bytes += len(chunk)
        return hasher.digest()

    async def _orphans(self, candidates: Sequence[ListedObject]) -> AsyncIterator[Finding]:
        old = [one for one in candidates if one.written_at < self._old]
        async with self._database.connection() as connection:
            named = await verification.named(connection, [one.key for one in old])
        for one in old:
            if one.key in named:
                continue
            kept = await self._storage.delete([StoredObject(one.key)]) if self._repairs else ()
            not_gone = "".join(f"; not deleted: {undeleted.words}" for undeleted in kept)
            yield self._seen.note(
                Finding(
                    fault=Fault.ORPHAN,
                    subject=str(one.key),
                    reason=f"named by no row, written at {one.written_at:%F %T} UTC{not_gone}",
                    size_bytes=one.size_bytes,
                    is_repaired=self._repairs and not kept,
                )
            )
