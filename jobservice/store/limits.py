"""The table jobservice.endpoint_limits."""

from __future__ import annotations

from typing import Any

from database.pool import Connection
from jobservice.domain.limits import EndpointLimits, EndpointState

# This registry is no endpoint; people call it Local.
NAMED = """
jobservice.endpoint_limits AS known
LEFT JOIN jobservice.endpoints AS endpoint ON endpoint.id = known.endpoint_id
CROSS JOIN LATERAL (SELECT coalesce(
    endpoint.name, CASE known.endpoint_id WHEN 0 THEN 'Local' ELSE known.endpoint_id::text END
)) AS called (name)
"""

SELECT = """
SELECT endpoint_id, concurrency, requests_per_second, postponed_until, postponed_because,
       coalesce(postponed_until > clock_timestamp(), false) AS is_postponed
FROM jobservice.endpoint_limits
"""


async def listed(connection: Connection) -> tuple[EndpointState, ...]:
    """Return every registry that has limits or was postponed once."""
    return tuple(EndpointState(**row) for row in await connection.fetch(SELECT))


OF_ENDPOINTS = SELECT + "WHERE endpoint_id = ANY($1::bigint[])"


async def of_endpoints(connection: Connection, ids: set[int]) -> dict[int, EndpointState]:
    """Return what there is about these registries."""
    rows: list[Any] = await connection.fetch(OF_ENDPOINTS, list(ids))
    return {row["endpoint_id"]: EndpointState(**row) for row in rows}


RATES = """
SELECT endpoint_id, requests_per_second FROM jobservice.endpoint_limits
WHERE requests_per_second IS NOT NULL
"""


async def rates(connection: Connection) -> dict[int, float]:
    """Return how many requests a second registries may get, those without a limit left out."""
    rows = await connection.fetch(RATES)
    return {row["endpoint_id"]: row["requests_per_second"] for row in rows}


SET = """
INSERT INTO jobservice.endpoint_limits (endpoint_id, concurrency, requests_per_second)
VALUES ($1, $2, $3)
ON CONFLICT (endpoint_id) DO UPDATE
SET concurrency = excluded.concurrency, requests_per_second = excluded.requests_per_second
"""


async def put(connection: Connection, endpoint_id: int, limits: EndpointLimits) -> None:
    """Replace the limits of a registry."""
    await connection.execute(SET, endpoint_id, limits.concurrency, limits.requests_per_second)


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


DELETE = "DELETE FROM jobservice.endpoint_limits WHERE endpoint_id = $1"


async def delete(connection: Connection, endpoint_id: int) -> None:
    """Forget a registry's limits."""
    await connection.execute(DELETE, endpoint_id)
