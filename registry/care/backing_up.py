"""A backup while everything serves: one snapshot of the database, then every object that it names.

Objects that are deleted meanwhile stay until they are copied: the row of the backup, which comes
before the snapshot, holds the sweeping of tombstones back, by a lease, so that a dead backup holds
nothing up for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from database.errors import DatabaseUnavailable
from database.pool import Database
from protocol.hashing import Hasher
from registry.care import backup_manifest, backup_place, linking
from registry.care.backup_manifest import BackupManifest
from registry.care.backup_place import BackupPlace
from registry.care.errors import BackupLapsed
from registry.errors import ObjectMissing
from registry.metadata import backups
from registry.metadata.backups import BlobObject, Snapshot
from registry.storage.driver import LocalFile, Storage

RENEW_SECONDS: Final = 20.0
OBJECTS_AT_ONCE: Final = 4
Dump = Callable[[IO[bytes], Snapshot], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Saved:
    """What a backup came to so far. `holes` are objects that the storage itself has lost."""

    objects: int = 0
    object_bytes: int = 0
    there: int = 0
    linked: int = 0
    copied: int = 0
    copied_bytes: int = 0
    holes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """How: `dump` writes the database as a snapshot sees it, `links` allows hard links.

    `keep` is how many backups stay; None for all.
    """

    dump: Dump
    version: str
    links: bool = True
    keep: int | None = None
    renew_seconds: float = RENEW_SECONDS


class Backup:
    """One backup into a place; `saved` counts what it came to."""

    def __init__(
        self, database: Database, storage: Storage, place: BackupPlace, means: Means
    ) -> None:
        self._database = database
        self._storage = storage
        self._place = place
        self._means = means
        self._id = uuid.uuid4()
        self.saved = Saved()

    async def run(self, tick: Callable[[], object]) -> tuple[str, BackupManifest]:
        """Make it and return its name and manifest; `tick` is called after each object.

        Raise BackupInUse, BackupLapsed, DumpFailed, or DatabaseUnavailable. Whatever ended it, the
        next one goes on with the objects that are there.
        """
        with self._place.locked():
            started = datetime.now(UTC)
            folder = self._place.begin(f"{started:%Y%m%dT%H%M%SZ}")
            async with self._held():
                snapshot = await self._snapshot(folder)
                await self._objects(folder / backup_place.OBJECTS, tick)
                await self._renew()
            manifest = await asyncio.to_thread(self._manifest, folder, snapshot, started)
            await asyncio.to_thread(self._place.finish, folder, manifest)
            if self._means.keep is not None:
                await asyncio.to_thread(self._place.keep, self._means.keep)
        return folder.name, manifest

    # Holding back

    @contextlib.asynccontextmanager
    async def _held(self) -> AsyncIterator[None]:
        """Keep what is deleted from now on; as long as this process lives and two minutes more."""
        async with self._database.connection() as connection:
            await backups.begin(connection, self._id, destination=str(self._place.folder))
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep_renewing())
                yield
                keeping.cancel()
        finally:
            with contextlib.suppress(DatabaseUnavailable):  # then its lease ends by itself
                async with self._database.connection() as connection:
                    await backups.end(connection, self._id)

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(self._means.renew_seconds)
            with contextlib.suppress(DatabaseUnavailable):  # the lease outlasts several tries
                await self._renew()

    async def _renew(self) -> None:
        async with self._database.connection() as connection:
            if not await backups.renew(connection, self._id):
                raise BackupLapsed(
                    "the database was away for longer than this backup may hold objects back, and "
                    "some may be deleted: call it again, what was copied is there"
                )

    # Taking

    async def _snapshot(self, folder: Path) -> Snapshot:
        async with self._database.transaction(
            isolation="repeatable_read", readonly=True
        ) as connection:
            snapshot = await backups.export_snapshot(connection)
            with _durable(folder / backup_place.OBJECTS) as file:
                async for found in backups.objects(connection):
                    self.saved.objects += 1
                    self.saved.object_bytes += found.size_bytes
                    file.write(backup_manifest.line(found).encode())
            with _durable(folder / backup_place.DATABASE) as file:
                await self._means.dump(file, snapshot)
        return snapshot

    async def _objects(self, listed: Path, tick: Callable[[], object]) -> None:
        """Take all objects, several at once, and never more of the list in memory than that."""
        objects = backup_place.objects(listed)

        async def take() -> None:
            for found in objects:
                await self._object(found)
                tick()

        async with asyncio.TaskGroup() as group:
            for _ in range(OBJECTS_AT_ONCE):
                group.create_task(take())

    async def _object(self, found: BlobObject) -> None:
        if await asyncio.to_thread(self._place.has, found):
            self.saved.there += 1
            return
        try:
            if self._means.links and await self._linked(found):
                self.saved.linked += 1
            else:
                await self._copy(found)
                self.saved.copied += 1
                self.saved.copied_bytes += found.size_bytes
        except (ObjectMissing, FileNotFoundError):
            self.saved.holes[str(found.digest)] = "its bytes are not in the storage"
        except _OtherBytes as error:
            self.saved.holes[str(found.digest)] = str(error)

    async def _linked(self, found: BlobObject) -> bool:
        """Link the object if it is a file on the same file system; raise ObjectMissing."""
        sent = await self._storage.sending(found.stored)
        return isinstance(sent, LocalFile) and await asyncio.to_thread(self._link, sent.path, found)

    def _link(self, original: Path, found: BlobObject) -> bool:
        if not linking.hard(original, self._place.path(found)):
            return False
        if not self._place.has(found):
            raise _OtherBytes(f"it has {original.stat().st_size} bytes in the storage")
        return True

    async def _copy(self, found: BlobObject) -> None:
        """Copy and hash the object; under its name only when it is whole."""
        final = self._place.path(found)
        partial = final.with_name(final.name + backup_place.PARTIAL)
        hasher = Hasher(found.digest.algorithm)
        with _durable(partial) as file:
            async with self._storage.read(found.stored) as chunks:
                async for chunk in chunks:
                    hasher.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
        if hasher.digest() != found.digest:
            partial.unlink()
            raise _OtherBytes(f"its bytes in the storage are {hasher.digest()}")
        partial.rename(final)

    def _manifest(self, folder: Path, snapshot: Snapshot, started: datetime) -> BackupManifest:
        names = (backup_place.DATABASE, backup_place.OBJECTS)
        return BackupManifest(
            transship=self._means.version,
            postgres=snapshot.postgres,
            migration=snapshot.migration,
            started_at=started.isoformat(),
            finished_at=datetime.now(UTC).isoformat(),
            objects=self.saved.objects,
            object_bytes=self.saved.object_bytes,
            files={name: backup_place.facts(folder / name) for name in names},
            holes=self.saved.holes,
        )


class _OtherBytes(Exception):
    """The storage holds something else under the object's key."""


@contextlib.contextmanager
def _durable(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that only its owner may read, and that outlives a crash of the machine."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
