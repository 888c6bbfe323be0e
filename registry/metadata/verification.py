"""What an audit asks of the rows, and what it writes down about lost blobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from database.pool import Connection
from protocol.digest import Digest
from registry.metadata import digests
from registry.stored_object import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A blob as its row has it."""

    id: int
    digest: Digest
    size_bytes: int
    stored: StoredObject
    is_lost: bool


_FACTS = "id, digest, size_bytes, storage_key, adopted_path, lost_at IS NOT NULL AS is_lost"
BETWEEN = f"""
SELECT {_FACTS} FROM registry.blobs
WHERE adopted_path IS NULL AND storage_key > $1 AND storage_key <= $2
ORDER BY storage_key LIMIT $3
"""  # noqa: S608 constants only
ADOPTED = f"""
SELECT {_FACTS} FROM registry.blobs WHERE adopted_path IS NOT NULL AND id > $1 ORDER BY id LIMIT $2
"""  # noqa: S608 constants only


async def between(
    connection: Connection, after: UUID, last: UUID, *, limit: int
) -> Sequence[Recorded]:
    """Return blobs whose objects are ours, by key: from behind `after` up to `last`."""
    return [_recorded(row) for row in await connection.fetch(BETWEEN, after, last, limit)]


async def adopted(connection: Connection, after: int, *, limit: int) -> Sequence[Recorded]:
    """Return blobs that lie where another registry wrote them, by id."""
    return [_recorded(row) for row in await connection.fetch(ADOPTED, after, limit)]


STANDS = "SELECT EXISTS (SELECT FROM registry.blobs WHERE id = $1 AND storage_key = $2)"


async def stands(connection: Connection, blob: Recorded) -> bool:
    """Say whether a blob is still what it was."""
    return bool(await connection.fetchval(STANDS, blob.id, blob.stored.key))


# An object may be named by a blob, an upload on its way, a removal that is due, an import.
NAMED = """
SELECT key FROM unnest($1::uuid[]) AS key
WHERE EXISTS (SELECT FROM registry.blobs WHERE storage_key = key)
   OR EXISTS (SELECT FROM registry.uploads WHERE storage_key = key)
   OR EXISTS (SELECT FROM registry.tombstones WHERE storage_key = key)
   OR EXISTS (SELECT FROM registry.adoptions WHERE storage_key = key)
"""


async def named(connection: Connection, keys: Sequence[UUID]) -> frozenset[UUID]:
    """Return those of the keys that some row names."""
    return frozenset(row["key"] for row in await connection.fetch(NAMED, keys))


MARK = """
UPDATE registry.blobs SET lost_at = coalesce(lost_at, now()) WHERE id = $1 AND storage_key = $2
"""
UNMARK = "UPDATE registry.blobs SET lost_at = NULL WHERE id = $1 AND storage_key = $2"


async def mark(connection: Connection, blob: Recorded, *, lost: bool) -> None:
    """Write down that a blob's object is lost, or that it is there again."""
    await connection.execute(MARK if lost else UNMARK, blob.id, blob.stored.key)


BROKEN = """
WITH RECURSIVE above (repository_id, id) AS (
    SELECT m.repository_id, m.manifest_id
    FROM registry.repository_blobs l JOIN registry.manifest_blobs m USING (repository_id, blob_id)
    WHERE l.blob_id = $1
    UNION
    SELECT c.repository_id, c.parent_id FROM above
    JOIN registry.manifest_children c
      ON c.repository_id = above.repository_id AND c.child_id = above.id
)
SELECT r.name AS repository, m.digest, count(*) OVER () AS total,
       array(SELECT t.name::text FROM registry.tags t
             WHERE t.repository_id = r.id AND t.manifest_id = m.id ORDER BY t.name LIMIT 10) AS tags
FROM above JOIN registry.manifests m ON m.id = above.id
JOIN registry.repositories r ON r.id = m.repository_id
ORDER BY r.name, m.id LIMIT $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needing:
    """A manifest that needs a blob, itself or through what it names; `total` is how many do."""

    repository: str
    digest: Digest
    tags: Sequence[str]
    total: int


async def needing(connection: Connection, blob: Recorded, *, limit: int) -> Sequence[Needing]:
    """Return some manifests that cannot be pulled whole without a blob."""
    rows = await connection.fetch(BROKEN, blob.id, limit)
    return [Needing(**{**row, "digest": digests.decode(row["digest"])}) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest with the digests that its rows connect it to."""

    id: int
    repository: str
    digest: Digest
    media_type: str
    payload: bytes
    blobs: frozenset[Digest]
    children: frozenset[Digest]


# As many as have some four mebibytes together, at least one.
MANIFESTS = """
SELECT m.id, r.name AS repository, m.digest, m.media_type, m.payload,
       array(SELECT b.digest FROM registry.manifest_blobs e
             JOIN registry.blobs b ON b.id = e.blob_id WHERE e.manifest_id = m.id) AS blobs,
       array(SELECT c.child_digest FROM registry.manifest_children c
             WHERE c.parent_id = m.id) AS children
FROM (
    SELECT id, size_bytes, sum(size_bytes) OVER (ORDER BY id) AS total
    FROM (SELECT id, size_bytes FROM registry.manifests WHERE id > $1 ORDER BY id LIMIT 200) AS next
) AS page
JOIN registry.manifests m ON m.id = page.id JOIN registry.repositories r ON r.id = m.repository_id
WHERE page.total - page.size_bytes < 4194304
ORDER BY m.id
"""


async def manifests(connection: Connection, after: int) -> Sequence[Manifest]:
    """Return the manifests that come after an id, some at a time."""
    return [
        Manifest(
            id=row["id"],
            repository=row["repository"],
            digest=digests.decode(row["digest"]),
            media_type=row["media_type"],
            payload=row["payload"],
            blobs=frozenset(map(digests.decode, row["blobs"])),
            children=frozenset(map(digests.decode, row["children"])),
        )
        for row in await connection.fetch(MANIFESTS, after)
    ]


def _recorded(row: Mapping[str, Any]) -> Recorded:
    return Recorded(
        id=row["id"],
        digest=digests.decode(row["digest"]),
        size_bytes=row["size_bytes"],
        stored=StoredObject(row["storage_key"], row["adopted_path"]),
        is_lost=row["is_lost"],
    )
