"""Rows of what was taken from another registry's storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from database.pool import Connection
from protocol.digest import Digest
from registry.metadata import digests
from registry.stored_object import StoredObject

OPEN = """
INSERT INTO registry.adopted_storages (location) VALUES ($1)
ON CONFLICT (location) DO UPDATE SET location = excluded.location
RETURNING id, committed_at
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedStorage:
    """Another registry's storage; `committed_at` is when its bytes became ours."""

    id: int
    committed_at: datetime | None


async def open_storage(connection: Connection, location: str) -> AdoptedStorage:
    """Return the row of a storage, made if need be."""
    row = await connection.fetchrow(OPEN, location)
    return AdoptedStorage(**row or {})


FIND = "SELECT id, committed_at FROM registry.adopted_storages WHERE location = $1"


async def find_storage(connection: Connection, location: str) -> AdoptedStorage | None:
    """Return the row of a storage; None if nothing was ever taken from it."""
    row = await connection.fetchrow(FIND, location)
    return AdoptedStorage(**row) if row else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A blob that is about to be taken: which storage's, and the object it becomes here.

    `adopted_path` is where it lies if it is read in place: then there is no object to be buried.
    """

    storage_id: int
    digest: Digest
    size_bytes: int
    storage_key: UUID
    adopted_path: str | None = None


# Locked first: whether an earlier try became a blob is asked when nobody can make it one any more.
LOCK = "SELECT FROM registry.adoptions WHERE storage_id = $1 AND digest = $2 FOR UPDATE"
INTEND = """
WITH buried AS (
    INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
    SELECT a.storage_key, $3, 'cancelled' FROM registry.adoptions a
    WHERE a.storage_id = $1 AND a.digest = $2 AND a.storage_key IS NOT NULL AND $5::text IS NULL
      AND NOT EXISTS (SELECT FROM registry.blobs b WHERE b.storage_key = a.storage_key)
    ON CONFLICT DO NOTHING
)
INSERT INTO registry.adoptions (storage_id, digest, size_bytes, storage_key) VALUES ($1, $2, $3, $4)
ON CONFLICT (storage_id, digest)
DO UPDATE SET storage_key = excluded.storage_key, size_bytes = excluded.size_bytes
"""


async def intend(connection: Connection, adoption: Adoption) -> None:
    """Name an object before it is made, inside a transaction.

    What an earlier try that died has left is buried, unless it became a blob.
    """
    arguments = _arguments(adoption)
    await connection.execute(QUICKLY)
    await connection.execute(LOCK, *arguments[:2])
    await connection.execute(INTEND, *arguments)


GIVE_UP = """
WITH gone AS (
    DELETE FROM registry.adoptions WHERE storage_id = $1 AND digest = $2 AND storage_key = $4
)
INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
SELECT $4, $3, 'cancelled' WHERE $5::text IS NULL ON CONFLICT DO NOTHING
"""


async def give_up(connection: Connection, adoption: Adoption) -> None:
    """Bury an object that is not to become a blob."""
    await connection.execute(GIVE_UP, *_arguments(adoption))


def _arguments(adoption: Adoption) -> tuple[int, bytes, int, UUID, str | None]:
    return (
        adoption.storage_id,
        digests.encode(adoption.digest),
        adoption.size_bytes,
        adoption.storage_key,
        adoption.adopted_path,
    )


# Without an intent an object is only room lost, so it need not outlive a crash of Postgres itself.
QUICKLY = "SET LOCAL synchronous_commit = off"
NOTE = """
WITH manifests AS (
    SELECT m.id, m.digest, m.size_bytes
    FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
    WHERE r.name = $2 AND m.digest = ANY($3)
)
INSERT INTO registry.adoptions (storage_id, digest, size_bytes, storage_key)
SELECT $1::bigint, digest, size_bytes, NULL::uuid FROM manifests
UNION
SELECT $1::bigint, b.digest, b.size_bytes, b.storage_key
FROM manifests JOIN registry.manifest_blobs e ON e.manifest_id = manifests.id
JOIN registry.blobs b ON b.id = e.blob_id
WHERE b.lost_at IS NULL
ORDER BY 2
ON CONFLICT DO NOTHING
"""


async def note(
    connection: Connection, storage_id: int, repository: str, taken: Sequence[Digest]
) -> None:
    """Remember manifests that are here, with all their blobs, whoever brought them."""
    stored = [digests.encode(digest) for digest in taken]
    await connection.execute(NOTE, storage_id, repository, stored)


UNNOTE = """
DELETE FROM registry.adoptions a
WHERE a.storage_id = $1 AND a.digest = ANY($2) AND NOT EXISTS (
    SELECT FROM registry.blobs b JOIN registry.repository_blobs l ON l.blob_id = b.id
    JOIN registry.manifest_blobs e USING (repository_id, blob_id)
    WHERE b.digest = a.digest
)
"""


async def unnote(connection: Connection, storage_id: int, unused: Sequence[Digest]) -> None:
    """Forget blobs that came for a manifest which did not, unless another needs them."""
    await connection.execute(UNNOTE, storage_id, [digests.encode(digest) for digest in unused])


HAS_BLOB = "SELECT EXISTS (SELECT FROM registry.blobs WHERE digest = $1 AND lost_at IS NULL)"


async def has_blob(connection: Connection, digest: Digest) -> bool:
    """Say whether any repository here has a blob."""
    return bool(await connection.fetchval(HAS_BLOB, digests.encode(digest)))


MANIFESTS = """
SELECT m.digest FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
WHERE r.name = $1
"""


async def manifests_here(connection: Connection, repository: str) -> set[Digest]:
    """Return the digests of all manifests of a repository."""
    rows = await connection.fetch(MANIFESTS, repository)
    return {digests.decode(row["digest"]) for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class TagHere:
    """What a tag points to here, and who pushed that."""

    digest: Digest
    pushed_by: str


TAGS = """
SELECT t.name, m.digest, m.pushed_by FROM registry.repositories r
JOIN registry.tags t ON t.repository_id = r.id JOIN registry.manifests m ON m.id = t.manifest_id
WHERE r.name = $1
"""


async def tags_here(connection: Connection, repository: str) -> Mapping[str, TagHere]:
    """Return all tags of a repository."""
    return {
        row["name"]: TagHere(digest=digests.decode(row["digest"]), pushed_by=row["pushed_by"])
        for row in await connection.fetch(TAGS, repository)
    }


# A removal that waited for this must not take what a blob reads there again.
UNBURY = """
DELETE FROM registry.tombstones t USING registry.blobs b WHERE b.adopted_path = t.adopted_path
"""
# What was imported again since, or given up: the later key decides, or nobody, so this never goes.
DROP_SUPERSEDED = """
DELETE FROM registry.tombstones t WHERE adopted_path IS NOT NULL
AND NOT EXISTS (SELECT FROM registry.adoptions a WHERE a.storage_key = t.storage_key)
"""
COMMIT = """
UPDATE registry.adopted_storages SET committed_at = coalesce(committed_at, now()) WHERE id = $1
"""


async def commit(connection: Connection, storage_id: int) -> None:
    """Let the bytes of a storage be ours from now on, inside a transaction."""
    await connection.execute(UNBURY)
    await connection.execute(DROP_SUPERSEDED)
    await connection.execute(COMMIT, storage_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """Data that was taken; `ours` is the object that has its bytes, None if there is none now.

    `is_held`: a backup is running, which may still copy what was deleted here.
    """

    digest: Digest
    size_bytes: int
    ours: StoredObject | None
    is_held: bool


ORIGINALS = """
SELECT a.digest, a.size_bytes, b.storage_key, b.adopted_path,
       EXISTS (SELECT FROM registry.backups WHERE lease_until > now()) AS is_held
FROM registry.adoptions a LEFT JOIN registry.blobs b ON b.digest = a.digest
WHERE a.storage_id = $1 AND a.digest > $2 AND NOT EXISTS (
    SELECT FROM registry.tombstones t
    WHERE t.storage_key = a.storage_key AND t.adopted_path IS NOT NULL AND t.digest IS NOT NULL
) ORDER BY a.digest LIMIT $3
"""


async def originals(
    connection: Connection, storage_id: int, *, after: Digest | None, limit: int
) -> Sequence[Original]:
    """Return what was taken from a storage, by digest.

    What was collected here and can still come back is left out: a sweep takes it in its time.
    """
    start = digests.encode(after) if after else b""
    return [
        Original(
            digest=digests.decode(row["digest"]),
            size_bytes=row["size_bytes"],
            ours=StoredObject(row["storage_key"], row["adopted_path"])
            if row["storage_key"]
            else None,
            is_held=row["is_held"],
        )
        for row in await connection.fetch(ORIGINALS, storage_id, start, limit)
    ]


FORGET = """
WITH gone AS (
    DELETE FROM registry.adoptions WHERE storage_id = $1 AND digest = ANY($2) RETURNING storage_key
)
DELETE FROM registry.tombstones t USING gone
WHERE t.storage_key = gone.storage_key AND t.adopted_path IS NOT NULL
"""


async def forget(connection: Connection, storage_id: int, gone: Sequence[Digest]) -> None:
    """Drop the rows of originals that are gone, and of their removal."""
    await connection.execute(FORGET, storage_id, [digests.encode(digest) for digest in gone])


NOT_TAKEN = """
SELECT there.digest FROM unnest($2::bytea[]) AS there (digest)
WHERE NOT EXISTS (
    SELECT FROM registry.adoptions a WHERE a.storage_id = $1 AND a.digest = there.digest
)
"""


async def not_taken(
    connection: Connection, storage_id: int, wanted: Sequence[Digest]
) -> set[Digest]:
    """Return those digests that nobody took."""
    rows = await connection.fetch(NOT_TAKEN, storage_id, [digests.encode(one) for one in wanted])
    return {digests.decode(row["digest"]) for row in rows}
