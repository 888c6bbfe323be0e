"""Rows of backups under way, and what a backup has to copy.

A row comes before the snapshot. Whatever is deleted after the snapshot has a tombstone that is
newer than the row, so whoever sweeps sees the row too, and waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from database.pool import Connection
from protocol.digest import Digest
from registry.metadata import digests
from registry.stored_object import StoredObject

# What a snapshot holds and a restored installation does not need: what was under way.
TRANSIENT: Final = (
    "registry.uploads",
    "registry.backups",
    "registry.adoptions",
    "registry.adopted_storages",
)

BEGIN = """
WITH dead AS (DELETE FROM registry.backups WHERE lease_until <= now())
INSERT INTO registry.backups (id, destination, lease_until)
VALUES ($1, $2, now() + interval '2 minutes')
"""


async def begin(connection: Connection, backup_id: UUID, *, destination: str) -> None:
    """Hold back the deletion of objects for two minutes; rows of dead backups go."""
    await connection.execute(BEGIN, backup_id, destination)


RENEW = """
UPDATE registry.backups SET lease_until = now() + interval '2 minutes'
WHERE id = $1 AND lease_until > now()
"""


async def renew(connection: Connection, backup_id: UUID) -> bool:
    """Hold it back for two minutes from now; False if it was not held until now."""
    return await connection.execute(RENEW, backup_id) != "UPDATE 0"


END = "DELETE FROM registry.backups WHERE id = $1"


async def end(connection: Connection, backup_id: UUID) -> None:
    """Let objects be deleted again."""
    await connection.execute(END, backup_id)


FACTS = """
SELECT pg_export_snapshot() AS snapshot,
       current_setting('server_version_num')::int / 10000 AS postgres,
       (SELECT max(number) FROM database.migrations) AS migration
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """An exported snapshot, the server's major version and the newest migration's number."""

    snapshot: str
    postgres: int
    migration: int


async def export_snapshot(connection: Connection) -> Snapshot:
    """Export what this transaction sees, as long as it is open."""
    row = await connection.fetchrow(FACTS)
    return Snapshot(**row or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobObject:
    """An object that the snapshot names."""

    key: UUID
    digest: Digest
    size_bytes: int
    adopted_path: str | None = None

    @property
    def stored(self) -> StoredObject:
        """Its name in the storage that was backed up."""
        return StoredObject(self.key, self.adopted_path)


OBJECTS = """
SELECT storage_key, digest, size_bytes, adopted_path FROM registry.blobs ORDER BY storage_key
"""


async def objects(connection: Connection) -> AsyncIterator[BlobObject]:
    """Yield all objects by key, a few at a time, inside a transaction."""
    async for row in connection.cursor(OBJECTS, prefetch=1000):
        yield BlobObject(
            key=row["storage_key"],
            digest=digests.decode(row["digest"]),
            size_bytes=row["size_bytes"],
            adopted_path=row["adopted_path"],
        )


# What was read in place from another registry's bucket lies under its own key after a restore. A
# backup has no object that was deleted before it: what went then cannot come back from it.
AFTER_RESTORE = """
UPDATE registry.blobs SET adopted_path = NULL WHERE adopted_path IS NOT NULL;
DELETE FROM registry.tombstones WHERE adopted_path IS NOT NULL;
DO $$ BEGIN  -- a backup may be older than the column
    IF EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'registry'
               AND table_name = 'tombstones' AND column_name = 'digest') THEN
        UPDATE registry.tombstones SET digest = NULL WHERE digest IS NOT NULL;
    END IF;
END $$;
"""
