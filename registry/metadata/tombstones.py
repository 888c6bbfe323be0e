"""Rows of objects that nothing needs any more."""

from __future__ import annotations

from collections.abc import Sequence

from database.pool import Connection
from registry.stored_object import StoredObject

DUE = """
SELECT storage_key, adopted_path FROM registry.tombstones WHERE delete_after <= now()
  AND NOT EXISTS (SELECT FROM registry.backups WHERE lease_until > now())
  AND (adopted_path IS NULL OR NOT EXISTS (
      SELECT FROM registry.adopted_storages s WHERE s.committed_at IS NULL
      AND starts_with(adopted_path, regexp_replace(s.location, '^s3://[^/]+/?', ''))
  ) AND EXISTS (
      SELECT FROM registry.adoptions a WHERE a.storage_key = tombstones.storage_key
  ))
ORDER BY delete_after LIMIT $1
"""


async def due(connection: Connection, *, limit: int) -> Sequence[StoredObject]:
    """Return objects to delete: none while a backup copies what its snapshot names.

    What lies in another registry's storage stays until that is handed over, and for good if it was
    not taken. Keys are never used again, so deleting one twice does no harm.
    """
    rows = await connection.fetch(DUE, limit)
    return [StoredObject(row["storage_key"], row["adopted_path"]) for row in rows]


FORGET = "DELETE FROM registry.tombstones WHERE storage_key = ANY($1)"


async def forget(connection: Connection, objects: Sequence[StoredObject]) -> None:
    """Drop the tombstones of objects that are gone."""
    await connection.execute(FORGET, [stored.key for stored in objects])
