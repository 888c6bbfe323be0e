"""Rows of the queue of reviews: what may have become garbage, and since when.

A key of a manifest or a blob is its id; a link's is its repository and its blob.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from database.pool import Connection


class Kind(StrEnum):
    """What is reviewed."""

    MANIFEST = "m"
    LINK = "l"
    BLOB = "b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """What was taken out of the queue; `repository_id` is 0 but for links."""

    repository_id: int
    object_id: int
    reason: str
    queued_at: datetime
    attempts: int


# A run that was told to take what is untagged has an hour for what it queued; others leave it
# alone, and forget it afterwards.
TAKE = """
DELETE FROM registry.gc_queue q USING (
    SELECT kind, repository_id, object_id FROM registry.gc_queue
    WHERE kind = $1::text::"char" AND (review_after <= now() OR ($3 AND attempts = 0))
      AND ($4 OR reason <> 'delete_untagged' OR queued_at < now() - interval '1 hour')
    ORDER BY review_after LIMIT $2 FOR UPDATE SKIP LOCKED
) AS due
WHERE q.kind = due.kind AND q.repository_id = due.repository_id AND q.object_id = due.object_id
RETURNING q.repository_id, q.object_id, q.reason, q.queued_at, q.attempts
"""


async def take(
    connection: Connection, kind: Kind, *, limit: int, ignore_delay: bool, delete_untagged: bool
) -> Sequence[Queued]:
    """Take the oldest rows that are due, inside a transaction.

    `ignore_delay`: those whose delay is not over, too, but none that was put back.
    """
    rows = await connection.fetch(TAKE, kind, limit, ignore_delay, delete_untagged)
    return [Queued(**row) for row in rows]


# Whatever came up anew meanwhile is newer than what is put back.
PUT_BACK = """
INSERT INTO registry.gc_queue (kind, repository_id, object_id, reason, queued_at, attempts,
    review_after)
SELECT $1::text::"char", back.repository_id, back.object_id, back.reason, back.queued_at,
       back.attempts + 1, back.review_after
FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[], $6::int[], $7::timestamptz[])
    AS back (repository_id, object_id, reason, queued_at, attempts, review_after)
ORDER BY 2, 3
ON CONFLICT DO NOTHING
"""


async def put_back(
    connection: Connection, kind: Kind, rows: Sequence[tuple[Queued, datetime]]
) -> None:
    """Put rows back, each for when it is to be looked at again."""
    if not rows:
        return
    await connection.execute(
        PUT_BACK,
        kind,
        [queued.repository_id for queued, _ in rows],
        [queued.object_id for queued, _ in rows],
        [queued.reason for queued, _ in rows],
        [queued.queued_at for queued, _ in rows],
        [queued.attempts for queued, _ in rows],
        [review_after for _, review_after in rows],
    )


ANY_DUE = """
SELECT EXISTS (
    SELECT FROM unnest(ARRAY['m', 'l', 'b']) AS kind
    CROSS JOIN LATERAL (
        SELECT FROM registry.gc_queue q
        WHERE q.kind = kind.kind::"char" AND q.review_after <= now()
        ORDER BY q.review_after LIMIT 1
    ) AS due
)
"""


async def any_due(connection: Connection) -> bool:
    """Say whether anything waits for a review now."""
    return bool(await connection.fetchval(ANY_DUE))


UNTAGGED = """
WITH page AS (
    SELECT m.id FROM registry.manifests m JOIN registry.repositories r ON r.id = m.repository_id
    WHERE m.id > $1 AND ($3::bigint IS NULL OR r.project_id = $3)
    ORDER BY m.id LIMIT $2
), untagged AS (
    SELECT m.id FROM page JOIN registry.manifests m ON m.id = page.id
    WHERE NOT EXISTS (SELECT FROM registry.tags t
                      WHERE t.repository_id = m.repository_id AND t.manifest_id = m.id)
      AND NOT EXISTS (SELECT FROM registry.manifest_children c
                      WHERE c.repository_id = m.repository_id AND c.child_id = m.id)
), queued AS (
    INSERT INTO registry.gc_queue AS q (kind, object_id, reason, review_after)
    SELECT 'm', id, $4, now() FROM untagged ORDER BY id
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0
    WHERE q.reason NOT IN ('subject_deleted', 'parent_deleted')
)
SELECT max(id) FROM page HAVING count(*) = $2
"""


async def add_untagged(
    connection: Connection, *, after: int, limit: int, project_id: int | None, reason: str
) -> int | None:
    """Queue the untagged of the next manifests by id; return where to go on, None at the end."""
    following: int | None = await connection.fetchval(UNTAGGED, after, limit, project_id, reason)
    return following
