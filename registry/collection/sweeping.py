"""Deleting the bytes whose rows are gone, when their time has come."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from database.pool import Connection, Database
from registry.metadata import deleted, tombstones
from registry.storage.driver import Storage

BATCH: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What one batch came to; `failures` are keys with the storage's words."""

    objects: int
    bytes: int
    failures: Sequence[tuple[str, str]]
    more: bool


async def sweep(
    database: Database, storage: Storage, *, release_now: bool = False, limit: int = BATCH
) -> Swept:
    """Delete up to `limit` objects; `release_now`: those within the window, too.

    They are released in a transaction before the storage is asked, and cannot come back then. What
    the storage would not delete stays, with its words, and is tried again later. Deleted manifests
    and tags are forgotten when their window is over.
    """
    forgotten = await database.run(functools.partial(deleted.forget_old, limit=limit))
    released = await database.run(
        functools.partial(tombstones.release, limit=limit, now=release_now)
    )
    if not released:
        return Swept(objects=0, bytes=0, failures=(), more=forgotten)
    undeleted = await storage.delete([one.stored for one in released])
    refused = {one.stored for one in undeleted}
    gone = [one for one in released if one.stored not in refused]

    async def settle(connection: Connection) -> None:
        await tombstones.forget(connection, [one.stored for one in gone])
        await tombstones.fail(
            connection, [one.stored for one in undeleted], [one.words for one in undeleted]
        )

    await database.run(settle)
    return Swept(
        objects=len(gone),
        bytes=sum(one.size_bytes for one in gone),
        failures=[(str(one.stored.key), one.words) for one in undeleted],
        more=forgotten or len(released) == limit,
    )
