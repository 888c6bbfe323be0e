"""Rows of what collection did, ever: written in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping

from database.pool import Connection

# The end of a statement whose CTE `counted` has a name and a number for each that grew.
ADD = """
UPDATE registry.collected c SET count = c.count + counted.count
FROM counted WHERE c.name = counted.name AND counted.count > 0
"""
ALL = "SELECT name, count FROM registry.collected"


async def counts(connection: Connection) -> Mapping[str, int]:
    """Return everything that was counted, by name."""
    return {row["name"]: row["count"] for row in await connection.fetch(ALL)}
