"""Objects that nothing needs and that the storage would not delete."""

from __future__ import annotations

from collections.abc import Sequence

from database.pool import Connection
from jobservice.domain.collection import Refusal

WORST = """
SELECT storage_key::text AS object, size_bytes AS bytes, attempts, error AS words,
       delete_after AS again_at
FROM registry.tombstones WHERE error IS NOT NULL
ORDER BY attempts DESC, storage_key LIMIT $1
"""


async def worst(connection: Connection, *, limit: int) -> Sequence[Refusal]:
    """Return those that were tried most often."""
    return [Refusal(**row) for row in await connection.fetch(WORST, limit)]
