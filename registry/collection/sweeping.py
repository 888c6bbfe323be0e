"""Deleting the bytes whose rows are gone, when their time has come."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from database.pool import Database
from registry.errors import RegistryStorageError
from registry.metadata import tombstones
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
    the storage would not delete stays, with its words, and is tried again later.
    """
    released = await database.run(
        functools.partial(tombstones.release, limit=limit, now=release_now)
    )
    if not released:
        return Swept(objects=0, bytes=0, failures=(), more=False)
    failures: list[tuple[str, str]] = []
    gone, refused = [one.stored for one in released], []
    try:
        await storage.delete(gone)
    except RegistryStorageError as error:
        gone, refused = [], gone
        failures = [(str(stored.key), str(error)) for stored in refused]
    async with database.transaction() as connection:
        await tombstones.forget(connection, gone)
        await tombstones.fail(connection, refused, [words for _, words in failures])
    return Swept(
        objects=len(gone),
        bytes=sum(one.size_bytes for one in released if one.stored in gone),
        failures=failures,
        more=len(released) == limit,
    )
