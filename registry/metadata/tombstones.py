"""Rows of objects that nothing needs any more.

A row is *released* in a transaction of its own before its object goes; until then, and within the
window, undeleting may make it a blob again. Keys are never used again, so deleting one twice does
no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection
from registry.metadata import collected
from registry.stored_object import StoredObject

# None while a backup copies what its snapshot names. What lies in another registry's storage stays
# until that is handed over, and for good if it was not taken.
_MAY_GO = """
NOT EXISTS (SELECT FROM registry.backups WHERE lease_until > now())
  AND (adopted_path IS NULL OR NOT EXISTS (
      SELECT FROM registry.adopted_storages s WHERE s.committed_at IS NULL
      AND starts_with(adopted_path, regexp_replace(s.location, '^s3://[^/]+/?', ''))
  ) AND EXISTS (
      SELECT FROM registry.adoptions a WHERE a.storage_key = tombstones.storage_key
  ))
"""
# Whoever dies with it leaves it to others five minutes later.
RELEASE = f"""
UPDATE registry.tombstones
SET released_at = coalesce(released_at, now()), delete_after = now() + interval '5 minutes'
WHERE storage_key IN (
    SELECT storage_key FROM registry.tombstones
    WHERE (delete_after <= now() OR ($2 AND released_at IS NULL)) AND {_MAY_GO}
    ORDER BY delete_after LIMIT $1 FOR UPDATE SKIP LOCKED
)
RETURNING storage_key, adopted_path, size_bytes
"""  # noqa: S608 constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """An object that must go, and its size."""

    stored: StoredObject
    size_bytes: int


async def release(connection: Connection, *, limit: int, now: bool) -> Sequence[Released]:
    """Take objects whose time has come, for five minutes; `now`: those within the window, too."""
    return [
        Released(
            stored=StoredObject(row["storage_key"], row["adopted_path"]),
            size_bytes=row["size_bytes"],
        )
        for row in await connection.fetch(RELEASE, limit, now)
    ]


FORGET = f"""
WITH gone AS (
    DELETE FROM registry.tombstones WHERE storage_key = ANY($1) RETURNING size_bytes
), counted (name, count) AS (
    SELECT 'objects', count(*) FROM gone
    UNION ALL SELECT 'object_bytes', coalesce(sum(size_bytes), 0) FROM gone
)
{collected.ADD}
"""  # noqa: S608 constants only


async def forget(connection: Connection, objects: Sequence[StoredObject]) -> None:
    """Drop the tombstones of objects that are gone."""
    await connection.execute(FORGET, [stored.key for stored in objects])


FAIL = f"""
WITH failed AS (
    UPDATE registry.tombstones t
    SET attempts = attempts + 1, error = refused.words,
        delete_after = now() + interval '1 minute' * least(2 ^ attempts, 60)
    FROM unnest($1::uuid[], $2::text[]) AS refused (storage_key, words)
    WHERE t.storage_key = refused.storage_key
    RETURNING t.storage_key
), counted (name, count) AS (SELECT 'failures', count(*) FROM failed)
{collected.ADD}
"""  # noqa: S608 constants only


async def fail(
    connection: Connection, objects: Sequence[StoredObject], words: Sequence[str]
) -> None:
    """Write down why objects could not be deleted; they are tried again, ever more rarely."""
    await connection.execute(FAIL, [stored.key for stored in objects], words)
