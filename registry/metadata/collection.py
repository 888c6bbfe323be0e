"""Rows of links and blobs that nothing needs: locked, then looked at again, then deleted.

The second look is a statement of its own and so sees what was committed before the lock was had:
in one statement with the lock, a reference made meanwhile would go unseen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection
from registry.metadata.review_queue import Queued

NOW = "SELECT now()"


async def now(connection: Connection) -> datetime:
    """Return when the transaction began, by the only clock that counts."""
    moment: datetime = await connection.fetchval(NOW)
    return moment


LOCK_LINKS = """
SELECT l.repository_id, l.blob_id FROM registry.repository_blobs l
JOIN unnest($1::bigint[], $2::bigint[]) AS due (repository_id, blob_id)
  USING (repository_id, blob_id)
ORDER BY 1, 2 FOR UPDATE OF l SKIP LOCKED
"""
_IS_NEEDED = """
EXISTS (SELECT FROM registry.manifest_blobs m
        WHERE m.repository_id = l.repository_id AND m.blob_id = l.blob_id)
"""
DELETE_LINKS = f"""
DELETE FROM registry.repository_blobs l
USING unnest($1::bigint[], $2::bigint[]) AS held (repository_id, blob_id)
WHERE l.repository_id = held.repository_id AND l.blob_id = held.blob_id
  AND l.lease_until <= now() AND NOT {_IS_NEEDED}
"""  # noqa: S608 constants only
UNNEEDED_LINKS = f"""
SELECT l.repository_id, l.blob_id, l.lease_until FROM registry.repository_blobs l
JOIN unnest($1::bigint[], $2::bigint[]) AS due (repository_id, blob_id)
  USING (repository_id, blob_id)
WHERE NOT {_IS_NEEDED}
"""  # noqa: S608 constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How many rows went, of how many bytes, and which that nothing refers to are still there.

    Of the latter each with the end of its lease; where that is past, somebody has them locked.
    """

    count: int
    size_bytes: int = 0
    left: Sequence[tuple[Queued, datetime]] = ()


async def delete_links(connection: Connection, due: Sequence[Queued]) -> Swept:
    """Delete those links that no manifest needs and whose lease is over, inside a transaction."""
    held = await connection.fetch(LOCK_LINKS, *_columns(due))
    tag = await connection.execute(
        DELETE_LINKS,
        [row["repository_id"] for row in held],
        [row["blob_id"] for row in held],
    )
    count = int(tag.rpartition(" ")[2])
    if count == len(due):
        return Swept(count=count)
    left = await connection.fetch(UNNEEDED_LINKS, *_columns(due))
    by_key = {(queued.repository_id, queued.object_id): queued for queued in due}
    return Swept(
        count=count,
        left=[(by_key[row["repository_id"], row["blob_id"]], row["lease_until"]) for row in left],
    )


def _columns(due: Sequence[Queued]) -> tuple[list[int], list[int]]:
    return [queued.repository_id for queued in due], [queued.object_id for queued in due]


LOCK_BLOBS = """
SELECT id FROM registry.blobs WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED
"""
_IS_LINKED = "EXISTS (SELECT FROM registry.repository_blobs l WHERE l.blob_id = b.id)"
# What was lost cannot come back, so its tombstone has no digest.
BURY_BLOBS = f"""
WITH gone AS (
    DELETE FROM registry.blobs b WHERE b.id = ANY($1) AND NOT {_IS_LINKED}
    RETURNING id, storage_key, adopted_path, size_bytes,
              CASE WHEN lost_at IS NULL THEN digest END AS digest
), buried AS (
    INSERT INTO registry.tombstones (storage_key, adopted_path, size_bytes, digest, reason,
        delete_after)
    SELECT storage_key, adopted_path, size_bytes, digest, 'collected',
           (SELECT registry.end_of_window())
    FROM gone
)
SELECT count(*) AS count, coalesce(sum(size_bytes), 0)::bigint AS size_bytes FROM gone
"""  # noqa: S608 constants only
UNLINKED_BLOBS = f"""
SELECT b.id, now() AS free_at FROM registry.blobs b WHERE b.id = ANY($1) AND NOT {_IS_LINKED}
"""  # noqa: S608 constants only


async def bury_blobs(connection: Connection, due: Sequence[Queued]) -> Swept:
    """Delete those blobs that no repository has, each for a tombstone, inside a transaction."""
    held = [row["id"] for row in await connection.fetch(LOCK_BLOBS, [one.object_id for one in due])]
    gone = await connection.fetchrow(BURY_BLOBS, held)
    assert gone is not None  # noqa: S101  an aggregate always has a row
    if gone["count"] == len(due):
        return Swept(**gone)
    left = await connection.fetch(UNLINKED_BLOBS, [one.object_id for one in due])
    by_id = {queued.object_id: queued for queued in due}
    return Swept(
        **gone,
        left=[(by_id[row["id"]], row["free_at"]) for row in left],
    )
