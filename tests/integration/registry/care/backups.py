"""What the tests of backups do: push, collect what is deleted, back up, restore, look for holes."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import asyncpg

from access.identity import SYSTEM
from database import dumping
from database.pool import Database
from jobservice import restoring
from jobservice.demo import artifacts, content, layers
from jobservice.restoring import Target
from jobservice.supervisor import programs
from protocol import manifest
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from registry.care import backup_place
from registry.care.backing_up import Backup, Means, Saved
from registry.care.backup_manifest import BackupManifest
from registry.care.backup_place import BackupPlace
from registry.care.restoring import ObjectRestore, Restored
from registry.collection import sweeping
from registry.errors import ObjectMissing
from registry.metadata import digests
from registry.metadata.backups import TRANSIENT, Snapshot
from registry.service import Registry
from registry.storage.driver import Storage
from registry.stored_object import StoredObject

# What garbage collection comes to: a blob that nobody names goes, and its object has a tombstone.
COLLECT = """
WITH gone AS (
    DELETE FROM registry.blobs b
    WHERE NOT EXISTS (SELECT FROM registry.repository_blobs l WHERE l.blob_id = b.id)
    RETURNING storage_key, adopted_path, size_bytes
)
INSERT INTO registry.tombstones (storage_key, adopted_path, size_bytes, reason)
SELECT storage_key, adopted_path, size_bytes, 'collected' FROM gone
"""
UNLINK = """
DELETE FROM registry.repository_blobs l USING registry.repositories r
WHERE r.id = l.repository_id AND r.name = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An installation: a registry on a database and a storage."""

    dsn: str
    database: Database
    storage: Storage

    async def push(self, repository: str, version: str) -> artifacts.Artifact:
        """Push an image with a layer of its own."""
        base = artifacts.layer(layers.from_contents({repository: version.encode() * 500}))
        built = artifacts.single_image(repository, base, version=version)
        registry = Registry(self.database, self.storage)
        await registry.prepare(repository)
        await content.push(built, registry.repository(repository, SYSTEM))
        return built

    async def verify(self, built: artifacts.Artifact) -> None:
        """Read an image whole, and compare."""
        registry = Registry(self.database, self.storage)
        await content.verify(built, registry.repository(built.repository, SYSTEM))

    async def delete(self, built: artifacts.Artifact) -> None:
        """Delete an image and collect what it alone needed; only the sweep is left to do."""
        here = Registry(self.database, self.storage).repository(built.repository, SYSTEM)
        await here.delete_manifest(built.root.digest)
        async with self.database.connection() as connection:
            await connection.execute(UNLINK, built.repository)
            await connection.execute(COLLECT)

    async def sweep(self) -> int:
        """Delete the objects that nobody needs."""
        return (await sweeping.sweep(self.database, self.storage)).objects

    async def holes(self) -> list[str]:
        """Return the digests of blobs whose bytes are not there, or are others."""
        async with self.database.connection() as connection:
            rows = await connection.fetch("SELECT digest, storage_key FROM registry.blobs")
        found = []
        for row in rows:
            digest = digests.decode(row["digest"])
            try:
                async with self.storage.read(StoredObject(row["storage_key"])) as chunks:
                    body = b"".join([chunk async for chunk in chunks])
            except ObjectMissing:
                body = b"nothing"
            if digest.of(body, digest.algorithm) != digest:
                found.append(str(digest))
        return found

    def backup(
        self,
        folder: Path,
        *,
        meanwhile: Callable[[], Awaitable[object]] | None = None,
        keep: int | None = None,
        links: bool = False,
        renew_seconds: float = 60,
    ) -> Backup:
        """Return a backup; `meanwhile` happens after the snapshot and before the first object."""

        async def dump(file: IO[bytes], snapshot: Snapshot) -> None:
            found = programs.find_clients(snapshot.postgres)
            if meanwhile is not None:
                await meanwhile()
            await dumping.dump(
                found, self.dsn, file, snapshot=snapshot.snapshot, without_rows_of=TRANSIENT
            )

        means = Means(
            dump=dump, version="test", keep=keep, links=links, renew_seconds=renew_seconds
        )
        return Backup(self.database, self.storage, BackupPlace(folder), means)


def layer_of(raw: RawManifest) -> Descriptor:
    """Return the only layer of an image."""
    parsed = manifest.parse(raw)
    assert isinstance(parsed, manifest.Image)
    return parsed.layers[0]


def some_id() -> uuid.UUID:
    return uuid.uuid4()


def nothing() -> None:
    """A tick."""


async def back_up(
    place: Place, folder: Path, meanwhile: Callable[[], Awaitable[object]] | None = None
) -> Saved:
    """Make a backup by copying."""
    backup = place.backup(folder, meanwhile=meanwhile)
    await backup.run(nothing)
    return backup.saved


async def restore(folder: Path, dsn: str, storage: Storage, *, links: bool = False) -> Restored:
    """Restore the newest backup, whatever is there."""
    place = BackupPlace(folder)
    backup, manifest = place.open(None)
    objects = ObjectRestore(storage, place, backup / backup_place.OBJECTS, links=links)
    await objects.check(incomplete=False)
    target = Target(dsn=dsn, clients=programs.find_clients, replace=True)
    await restoring.restore(target, backup, manifest, objects, nothing)
    return objects.restored


def manifest_of(folder: Path) -> BackupManifest:
    """Return the newest backup's manifest."""
    return BackupPlace(folder).open(None)[1]


async def rows_of(dsn: str) -> dict[str, int]:
    """Return how many rows each table has."""
    connection = await asyncpg.connect(dsn)
    try:
        tables = await connection.fetch(
            "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
            "WHERE schemaname IN ('access', 'database', 'jobservice', 'registry')"
        )
        return {
            row["name"]: await connection.fetchval(f"SELECT count(*) FROM {row['name']}")  # noqa: S608
            for row in tables
        }
    finally:
        await connection.close()
