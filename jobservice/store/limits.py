"""How hard registries may be worked: jobservice.endpoint_limits."""

from __future__ import annotations

from database.pool import Connection

# The longer pause stands: an answer may have been under way when the registry asked for more.
POSTPONE = """
INSERT INTO jobservice.endpoint_limits AS known (endpoint_id, postponed_until, postponed_because)
VALUES ($1, clock_timestamp() + $2 * interval '1 second', $3)
ON CONFLICT (endpoint_id) DO UPDATE
SET postponed_until = excluded.postponed_until, postponed_because = excluded.postponed_because
WHERE known.postponed_until IS NULL OR known.postponed_until < excluded.postponed_until
"""


async def postpone(
    connection: Connection, endpoint_id: int, delay_seconds: float, because: str
) -> None:
    """Let nothing that talks to this registry start before the delay is over."""
    await connection.execute(POSTPONE, endpoint_id, delay_seconds, because)
