"""This registry's own care: each call does one batch of work and says how much it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from database.pool import Database
from registry.metadata import tombstones, uploads
from registry.storage.driver import Storage

BATCH: Final = 500
ABANDONED_AFTER: Final = timedelta(days=1)


async def expire_uploads(database: Database, storage: Storage) -> int:
    """End uploads that nobody went on with for a day; return how many."""
    async with database.transaction() as connection:
        expired = await uploads.expire(connection, limit=BATCH)
    for upload in expired:
        await storage.discard_partial(upload.id, upload.storage_key, upload.partial_state)
    return len(expired)


async def sweep_partials(database: Database, storage: Storage) -> int:
    """Remove partial objects of which no row knows and that are a day old; return how many.

    Crashes leave them: the row of an upload goes before its bytes do.
    """
    count = 0
    oldest = datetime.now(UTC) - ABANDONED_AFTER
    async for page in storage.partials():
        old = [partial for partial in page if partial.touched_at < oldest]
        async with database.connection() as connection:
            known = await uploads.known(connection, [partial.name for partial in old])
        for partial in old:
            if partial.name not in known:
                await storage.delete_partial(partial)
                count += 1
    return count


async def sweep_tombstones(database: Database, storage: Storage) -> int:
    """Delete the objects that nothing needs any more; a crash repeats it. Return how many."""
    async with database.connection() as connection:
        objects = await tombstones.due(connection, limit=BATCH)
    await storage.delete(objects)
    async with database.connection() as connection:
        await tombstones.forget(connection, objects)
    return len(objects)
