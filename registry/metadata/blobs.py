"""Rows of blobs and of their links to repositories."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from database import pool
from database.pool import Connection
from protocol.digest import Digest
from registry.metadata import digests
from registry.metadata.adoptions import Adoption
from registry.stored_object import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A blob as one repository has it. `lease_is_short`: it may soon be collected, so renew.

    `is_lost`: its object is missing or damaged, and whoever has the bytes may push them again.
    """

    id: int
    repository_id: int
    size_bytes: int
    storage_key: UUID
    adopted_path: str | None
    is_lost: bool
    lease_is_short: bool

    @property
    def stored(self) -> StoredObject:
        """Its object in the storage."""
        return StoredObject(self.storage_key, self.adopted_path)


FIND = """
SELECT b.id, r.id AS repository_id, b.size_bytes, b.storage_key, b.adopted_path,
       b.lost_at IS NOT NULL AS is_lost,
       l.lease_until < now() + interval '30 minutes' AND NOT EXISTS (
           SELECT FROM registry.manifest_blobs m
           WHERE m.repository_id = l.repository_id AND m.blob_id = l.blob_id
       ) AS lease_is_short
FROM registry.repositories r
JOIN registry.repository_blobs l ON l.repository_id = r.id
JOIN registry.blobs b ON b.id = l.blob_id
WHERE r.name = $1 AND b.digest = $2
"""


async def find(connection: Connection, repository: str, digest: Digest) -> Blob | None:
    """Return a blob that a repository may serve."""
    row = await connection.fetchrow(FIND, repository, digests.encode(digest))
    return Blob(**row) if row else None


RENEW = """
UPDATE registry.repository_blobs SET lease_until = now() + interval '1 hour'
WHERE repository_id = $1 AND blob_id = $2
"""


async def renew_lease(connection: Connection, blob: Blob) -> bool:
    """Keep an unreferenced blob for an hour, for whoever is told of it; False if it just went."""
    return await connection.execute(RENEW, blob.repository_id, blob.id) != "UPDATE 0"


# What becomes of an object that is published: `gone` has its repository_id, storage_key and
# adopted_path, $2 is its digest and $3 its size. One that is lost gives way to it; `lost` is read,
# and locked, before that.
_BECOMES = """
lost AS MATERIALIZED (
    SELECT storage_key, adopted_path, size_bytes FROM registry.blobs
    WHERE digest = $2 AND lost_at IS NOT NULL AND EXISTS (SELECT FROM gone) FOR UPDATE
), blob AS (
    INSERT INTO registry.blobs AS b (digest, size_bytes, storage_key, adopted_path)
    SELECT $2, $3, gone.storage_key, gone.adopted_path FROM gone LEFT JOIN lost ON true
    ON CONFLICT (digest) DO UPDATE SET touched_at = now(), lost_at = NULL,
        storage_key = CASE WHEN b.lost_at IS NULL THEN b.storage_key ELSE excluded.storage_key END,
        adopted_path = CASE WHEN b.lost_at IS NULL THEN b.adopted_path
                            ELSE excluded.adopted_path END,
        size_bytes = CASE WHEN b.lost_at IS NULL THEN b.size_bytes ELSE excluded.size_bytes END
    RETURNING id, storage_key
), replaced AS (
    INSERT INTO registry.tombstones (storage_key, adopted_path, size_bytes, reason)
    SELECT lost.storage_key, lost.adopted_path, lost.size_bytes, 'duplicate' FROM lost, blob, gone
    WHERE lost.storage_key <> blob.storage_key
      AND coalesce(lost.adopted_path <> gone.adopted_path, true)
), link AS (
    INSERT INTO registry.repository_blobs (repository_id, blob_id, lease_until)
    SELECT gone.repository_id, blob.id, now() + interval '1 hour' FROM gone, blob
    ON CONFLICT (repository_id, blob_id) DO UPDATE SET lease_until = excluded.lease_until
), loser AS (
    INSERT INTO registry.tombstones (storage_key, adopted_path, size_bytes, reason)
    SELECT gone.storage_key, gone.adopted_path, $3, 'duplicate' FROM gone, blob
    WHERE gone.storage_key <> blob.storage_key
)
SELECT count(*) FROM gone
"""
COMMIT = f"""
WITH gone AS (
    DELETE FROM registry.uploads WHERE id = $1 AND busy_token IS NOT DISTINCT FROM $4
    RETURNING repository_id, storage_key, NULL::text AS adopted_path
), {_BECOMES}"""  # noqa: S608 constants only


async def commit_upload(
    connection: Connection,
    upload_id: UUID,
    digest: Digest,
    size_bytes: int,
    *,
    token: UUID | None,
) -> bool:
    """Turn a published upload into a blob of its repository.

    False if the upload is gone, or no longer held by `token`.

    Of two uploads of one digest the second's object becomes a tombstone, or the first's if lost.
    """
    count = await connection.fetchval(COMMIT, upload_id, digests.encode(digest), size_bytes, token)
    return bool(count)


# Whoever intended last may go on: an object that was buried meanwhile must not become a blob.
ADOPT = f"""
WITH gone AS (
    SELECT $5::bigint AS repository_id, a.storage_key, $6::text AS adopted_path
    FROM registry.adoptions a JOIN registry.adopted_storages s ON s.id = a.storage_id
    WHERE a.storage_id = $1 AND a.digest = $2 AND a.storage_key = $4 AND s.committed_at IS NULL
    FOR UPDATE OF a FOR SHARE OF s
), {_BECOMES}"""  # noqa: S608 constants only


async def adopt(connection: Connection, adoption: Adoption, *, repository_id: int) -> bool:
    """Turn an object of another registry's storage into a blob of a repository.

    False if another import goes on with it, or its storage is handed over. Where somebody pushed
    the digest meanwhile, the object becomes a tombstone.
    """
    count = await connection.fetchval(
        ADOPT,
        adoption.storage_id,
        digests.encode(adoption.digest),
        adoption.size_bytes,
        adoption.storage_key,
        repository_id,
        adoption.adopted_path,
    )
    return bool(count)


MOUNT = """
INSERT INTO registry.repository_blobs (repository_id, blob_id, lease_until)
SELECT $1, b.id, now() + interval '1 hour' FROM registry.blobs b
WHERE b.digest = $2 AND b.lost_at IS NULL AND EXISTS (
    SELECT FROM registry.repository_blobs l JOIN registry.repositories r ON r.id = l.repository_id
    WHERE l.blob_id = b.id AND ($3::text IS NULL OR r.name = $3)
)
FOR KEY SHARE OF b
ON CONFLICT (repository_id, blob_id) DO UPDATE SET lease_until = excluded.lease_until
RETURNING (SELECT b.size_bytes FROM registry.blobs b WHERE b.id = blob_id)
"""


async def mount(
    connection: Connection, repository_id: int, digest: Digest, *, source: str | None
) -> int | None:
    """Link a blob that `source`, or any repository for None, has; return its size, if there."""
    stored = digests.encode(digest)
    try:
        size_bytes: int | None = await connection.fetchval(MOUNT, repository_id, stored, source)
    except pool.REFERENCE_VIOLATIONS:  # collected between look-up and link
        return None
    return size_bytes


UNLINK = """
DELETE FROM registry.repository_blobs l
USING registry.repositories r, registry.blobs b
WHERE r.name = $1 AND b.digest = $2 AND l.repository_id = r.id AND l.blob_id = b.id
"""


async def unlink(connection: Connection, repository: str, digest: Digest) -> bool:
    """Take a blob from a repository; raise pool.REFERENCE_VIOLATIONS while a manifest needs it."""
    tag = await connection.execute(UNLINK, repository, digests.encode(digest))
    return tag != "DELETE 0"
