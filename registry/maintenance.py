"""This registry's own care: each call does one batch of work and says how much it was."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from database.pool import Connection, Database
from registry.metadata import uploads, uses
from registry.storage.driver import Storage
from registry.uses import UseBuffer

BATCH: Final = 500
ABANDONED_AFTER: Final = timedelta(days=1)

Listeners = Callable[[Connection], Awaitable[Sequence[int] | None]]
log = structlog.get_logger(__name__)


async def expire_uploads(database: Database, storage: Storage) -> int:
    """End uploads that nobody went on with for a day; return how many."""
    async with database.transaction() as connection:
        expired = await uploads.expire(connection, limit=BATCH)
    for upload in expired:
        await storage.discard_partial(upload.id, upload.storage_key, upload.partial_state)
    return len(expired)


async def sweep_partials(
    database: Database, storage: Storage, *, older_than: timedelta = ABANDONED_AFTER
) -> int:
    """Remove old partial objects of which no row knows; return how many.

    Crashes leave them: the row of an upload goes before its bytes do.
    """
    count = 0
    oldest = datetime.now(UTC) - older_than
    async for page in storage.partials():
        old = [partial for partial in page if partial.touched_at < oldest]
        async with database.connection() as connection:
            known = await uploads.known(connection, [partial.name for partial in old])
        for partial in old:
            if partial.name not in known:
                await storage.delete_partial(partial)
                count += 1
    return count


async def merge_uses(database: Database, buffer: UseBuffer, listeners: Listeners) -> None:
    """Write what was used since the last time; what cannot be written is kept.

    `listeners` tells of which projects' pulls somebody wants to hear, None for all.
    """
    taken = buffer.take()
    counts = sorted(taken.counts.items())  # in this order rows are locked
    written = 0
    try:
        while written < len(counts):
            batch = dict(counts[written : written + BATCH])
            await database.run(functools.partial(uses.merge, counts=batch))
            written += BATCH
        async with database.transaction() as connection:
            projects = await listeners(connection)
            buffer.tells_pulls = projects is None or bool(projects)
            if taken.pulls and buffer.tells_pulls:
                await uses.tell(connection, taken.pulls, projects=projects)
    except BaseException:
        buffer.put_back(replace(taken, counts=dict(counts[written:])))
        raise
    if taken.lost:
        log.warning("uses_lost", count=taken.lost)
