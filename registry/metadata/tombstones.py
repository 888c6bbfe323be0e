"""Rows of objects that nothing needs any more."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from database.pool import Connection

DUE = """
SELECT storage_key FROM registry.tombstones WHERE delete_after <= now()
ORDER BY delete_after LIMIT $1
"""


async def due(connection: Connection, *, limit: int) -> Sequence[UUID]:
    """Return objects to delete. Keys are never used again, so deleting one twice does no harm."""
    return [row["storage_key"] for row in await connection.fetch(DUE, limit)]


FORGET = "DELETE FROM registry.tombstones WHERE storage_key = ANY($1)"


async def forget(connection: Connection, keys: Sequence[UUID]) -> None:
    """Drop the tombstones of objects that are gone."""
    await connection.execute(FORGET, keys)
