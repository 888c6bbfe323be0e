"""Rows of what collection did, ever: written in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping

from database.pool import Connection

# The end of a statement whose CTE `counted` has a name and a number for each that grew.
ADD = """
UPDATE registry.collected c SET count = c.count + counted.count
FROM counted WHERE c.name = counted.name AND counted.count > 0
"""
COUNT = f"""
WITH counted (name, count) AS (SELECT * FROM unnest($1::text[], $2::bigint[]))
{ADD}
"""  # noqa: S608 a constant
ALL = "SELECT name, count FROM registry.collected"


async def count(connection: Connection, grown: Mapping[str, int]) -> None:
    """Add to counts by name: last in a transaction, for until it ends nobody else can."""
    if any(grown.values()):
        await connection.execute(COUNT, list(grown), list(grown.values()))


async def counts(connection: Connection) -> Mapping[str, int]:
    """Return everything that was counted, by name."""
    return {row["name"]: row["count"] for row in await connection.fetch(ALL)}
