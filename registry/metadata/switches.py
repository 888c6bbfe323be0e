"""Rows of what all processes must obey within seconds."""

from __future__ import annotations

from database.pool import Connection

IS_ON = "SELECT is_on FROM registry.switches WHERE name = $1"


async def is_on(connection: Connection, name: str) -> bool:
    """Return a switch's position; one that nobody ever touched is off."""
    return bool(await connection.fetchval(IS_ON, name))


TURN = """
INSERT INTO registry.switches AS s (name, is_on, changed_by) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE
SET is_on = excluded.is_on, changed_by = excluded.changed_by, changed_at = now()
WHERE s.is_on <> excluded.is_on
RETURNING name
"""


async def turn(connection: Connection, name: str, *, on: bool, changed_by: str) -> bool:
    """Turn a switch; say whether its row changed."""
    return await connection.fetchval(TURN, name, on, changed_by) is not None
