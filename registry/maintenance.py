"""This registry's own care: each call does one batch of work and says how much it was."""

from __future__ import annotations

from typing import Final

from database.pool import Database
from registry.metadata import tombstones, uploads
from registry.storage.filesystem import FilesystemStorage

BATCH: Final = 500


async def expire_uploads(database: Database, storage: FilesystemStorage) -> int:
    """End uploads that nobody went on with for a day; return how many."""
    async with database.transaction() as connection:
        expired = await uploads.expire(connection, limit=BATCH)
    for upload in expired:
        await storage.delete_partial(upload)
    return len(expired)


async def sweep_tombstones(database: Database, storage: FilesystemStorage) -> int:
    """Delete the objects that nothing needs any more; a crash repeats it. Return how many."""
    async with database.connection() as connection:
        keys = await tombstones.due(connection, limit=BATCH)
    for key in keys:
        await storage.delete(key)
    async with database.connection() as connection:
        await tombstones.forget(connection, keys)
    return len(keys)
