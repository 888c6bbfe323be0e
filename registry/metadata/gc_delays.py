"""Rows of how long a review waits, by its reason, and how long what is deleted can come back."""

from __future__ import annotations

from datetime import timedelta

from database.pool import Connection

KEEP = """
UPDATE registry.gc_delays SET delay = wanted.delay
FROM (SELECT reason, CASE reason WHEN 'window' THEN $2::interval ELSE $1::interval END AS delay
      FROM registry.gc_delays) AS wanted
WHERE gc_delays.reason = wanted.reason AND gc_delays.delay <> wanted.delay
"""


async def keep(connection: Connection, *, review: timedelta, window: timedelta) -> bool:
    """Let reviews wait and bytes stay for as long from now on; say whether that is new."""
    return await connection.execute(KEEP, review, window) != "UPDATE 0"
