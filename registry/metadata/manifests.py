"""Rows of manifests: looking them up, listing referrers, deleting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from database.pool import Connection, Record
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from registry.events import Action
from registry.metadata import deletion, digests, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A manifest as a repository has it.

    `body` is None when only its facts were asked for, or when it is large: then see `piece`.
    """

    id: int
    repository_id: int
    digest: Digest
    media_type: str
    size_bytes: int
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for: a repository, and a tag or digest in it."""

    repository: str
    reference: str | Digest


_FACTS = "m.id, m.repository_id, m.digest, m.media_type, m.size_bytes"
SMALL_BYTES: Final = 256 * 1024
_SMALL = f"CASE WHEN m.size_bytes <= {SMALL_BYTES} THEN m.payload END AS body"
_BODY = {True: _SMALL, False: "NULL::bytea AS body"}
_BY_TAG = """
FROM registry.repositories r
JOIN registry.tags t ON t.repository_id = r.id
JOIN registry.manifests m ON m.id = t.manifest_id
WHERE r.name = $1 AND t.name = $2
"""
_BY_DIGEST = """
FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
WHERE r.name = $1 AND m.digest = $2
"""
FIND_BY_TAG = {body: f"SELECT {_FACTS}, {column} {_BY_TAG}" for body, column in _BODY.items()}
FIND_BY_DIGEST = {body: f"SELECT {_FACTS}, {column} {_BY_DIGEST}" for body, column in _BODY.items()}


_BY_EITHER = """
FROM unnest($1::text[], $2::text[], $3::bytea[]) WITH ORDINALITY
    AS w (repository, tag, digest, place)
JOIN registry.repositories r ON r.name = w.repository
CROSS JOIN LATERAL (
    SELECT t.manifest_id FROM registry.tags t WHERE t.repository_id = r.id AND t.name = w.tag
    UNION ALL
    SELECT d.id FROM registry.manifests d WHERE d.repository_id = r.id AND d.digest = w.digest
) AS named
JOIN registry.manifests m ON m.id = named.manifest_id
"""
FIND_ALL = {
    body: f"SELECT w.place, {_FACTS}, {column} {_BY_EITHER}" for body, column in _BODY.items()
}


async def find(
    connection: Connection, repository: str, reference: str | Digest, *, with_body: bool
) -> Found | None:
    """Return the manifest of a tag or digest."""
    if isinstance(reference, Digest):
        query, argument = FIND_BY_DIGEST[with_body], digests.encode(reference)
        row = await connection.fetchrow(query, repository, argument)
    else:
        row = await connection.fetchrow(FIND_BY_TAG[with_body], repository, reference)
    return _found(row) if row else None


async def find_all(
    connection: Connection, wanted: Sequence[Wanted], *, with_body: bool
) -> Mapping[Wanted, Found]:
    """Return those manifests that are there, in one statement."""
    rows = await connection.fetch(
        FIND_ALL[with_body],
        [it.repository for it in wanted],
        [it.reference if isinstance(it.reference, str) else None for it in wanted],
        [
            digests.encode(it.reference) if isinstance(it.reference, Digest) else None
            for it in wanted
        ],
    )
    return {wanted[row["place"] - 1]: _found(row) for row in rows}


def _found(row: Record) -> Found:
    return Found(
        id=row["id"],
        repository_id=row["repository_id"],
        digest=digests.decode(row["digest"]),
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        body=row["body"],
    )


PIECE = "SELECT substring(payload FROM $2 + 1 FOR $3) FROM registry.manifests WHERE id = $1"


async def piece(connection: Connection, found: Found, *, offset_bytes: int) -> bytes:
    """Return what follows an offset of a manifest, as much as is small; nothing if it is gone."""
    read: bytes | None = await connection.fetchval(PIECE, found.id, offset_bytes, SMALL_BYTES)
    return read or b""


# Nearly always nothing at all is lost, and the first condition is all that is looked at.
LOST_BLOBS = """
WITH RECURSIVE beneath (id) AS (
    SELECT $2::bigint WHERE EXISTS (SELECT FROM registry.blobs WHERE lost_at IS NOT NULL)
    UNION
    SELECT c.child_id FROM beneath
    JOIN registry.manifest_children c ON c.repository_id = $1 AND c.parent_id = beneath.id
    WHERE c.child_id IS NOT NULL
)
SELECT EXISTS (
    SELECT FROM beneath JOIN registry.manifest_blobs m ON m.manifest_id = beneath.id
    JOIN registry.blobs b ON b.id = m.blob_id WHERE b.lost_at IS NOT NULL
)
"""


async def lost_blobs(connection: Connection, found: Found) -> bool:
    """Say whether blobs are lost that a manifest needs, itself or through what it names."""
    return bool(await connection.fetchval(LOST_BLOBS, found.repository_id, found.id))


# Annotations are no larger than their manifest, so no page is large in memory: what does not fit
# waits for the next one, and what fits on none has one of its own.
_PAGE_BYTES: Final = 1024 * 1024
REFERRERS = f"""
SELECT id, media_type, digest, size_bytes, artifact_type, annotations, is_followed FROM (
    SELECT *, sum(size_bytes) OVER (ORDER BY id) AS bytes, id < max(id) OVER () AS is_followed
    FROM (
        SELECT m.id, m.media_type, m.digest, m.size_bytes, m.artifact_type, m.annotations
        FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
        WHERE r.name = $1 AND m.subject_digest = $2 AND m.id > $3
          AND ($4::text IS NULL OR coalesce(m.artifact_type, '') = $4)
        ORDER BY m.id LIMIT $5 + 1
    ) AS page
) AS measured
WHERE bytes <= {_PAGE_BYTES} OR bytes = size_bytes ORDER BY id LIMIT $5
"""  # noqa: S608 constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class Referrer:
    """One entry of a list of referrers; the next page goes on at `id`, if it `is_followed`."""

    id: int
    descriptor: Descriptor
    is_followed: bool


async def referrers(
    connection: Connection,
    repository: str,
    subject: Digest,
    *,
    artifact_type: str | None,
    after: int,
    limit: int,
) -> Sequence[Referrer]:
    """Return a page of what refers to `subject`, oldest first: fewer where they are large."""
    rows = await connection.fetch(
        REFERRERS, repository, digests.encode(subject), after, artifact_type, limit
    )
    return [
        Referrer(
            id=row["id"],
            descriptor=Descriptor(
                media_type=row["media_type"],
                digest=digests.decode(row["digest"]),
                size_bytes=row["size_bytes"],
                artifact_type=row["artifact_type"],
                annotations=row["annotations"],
            ),
            is_followed=row["is_followed"],
        )
        for row in rows
    ]


LOCK = """
SELECT m.id, m.repository_id
FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
WHERE r.name = $1 AND m.digest = $2 FOR UPDATE OF m
"""
TAGS = "SELECT name FROM registry.tags WHERE repository_id = $1 AND manifest_id = $2 ORDER BY name"


async def lock_tags(connection: Connection, repository: str, digest: Digest) -> Sequence[str]:
    """Return the tags of a manifest, which gets no others before this transaction ends."""
    row = await connection.fetchrow(LOCK, repository, digests.encode(digest))
    if row is None:
        return ()
    rows = await connection.fetch(TAGS, row["repository_id"], row["id"])
    return [row["name"] for row in rows]


LOCK_TO_DELETE = f"""
{deletion.BY}
SELECT m.id FROM said, registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
WHERE r.name = $3 AND m.digest = $4 FOR UPDATE OF m
"""  # noqa: S608 constants only
EXPIRED_PINS = "DELETE FROM registry.pins WHERE manifest_id = $1 AND expires_at <= now()"
# The index on tags begins with the repository: without it, all tags of all repositories are read.
DELETE_TAGS = """
DELETE FROM registry.tags t USING registry.manifests m
WHERE m.id = $1 AND t.repository_id = m.repository_id AND t.manifest_id = m.id RETURNING t.name
"""
DELETE = f"""
WITH gone AS (DELETE FROM registry.manifests WHERE id = $1 RETURNING *),
happened AS (
    SELECT '{Action.DELETE}' AS action, repository_id, digest, $2::text[] AS tags, media_type,
           artifact_type, size_bytes, subject_digest, $3::text AS by, false AS is_new
    FROM gone
)
{outbox.ADD}
"""  # noqa: S608 constants only


async def delete(
    connection: Connection,
    repository: str,
    digest: Digest,
    *,
    by: str,
    reason: str = deletion.DELETED,
) -> bool:
    """Delete a manifest and its tags inside a transaction; say whether it was there.

    Raise pool.REFERENCE_VIOLATIONS while an index names it, or somebody has it pinned.
    """
    manifest_id = await connection.fetchval(
        LOCK_TO_DELETE, by, reason, repository, digests.encode(digest)
    )
    if manifest_id is None:
        return False
    await connection.execute(EXPIRED_PINS, manifest_id)
    tags = sorted(row["name"] for row in await connection.fetch(DELETE_TAGS, manifest_id))
    await connection.execute(DELETE, manifest_id, tags, by)
    return True


PARENTS = """
SELECT p.digest FROM registry.repositories r
JOIN registry.manifests m ON m.repository_id = r.id AND m.digest = $2
JOIN registry.manifest_children c ON c.repository_id = r.id AND c.child_id = m.id
JOIN registry.manifests p ON p.id = c.parent_id
WHERE r.name = $1 ORDER BY p.id LIMIT 5
"""


async def parents(connection: Connection, repository: str, digest: Digest) -> Sequence[Digest]:
    """Return a few indexes that name a manifest."""
    rows = await connection.fetch(PARENTS, repository, digests.encode(digest))
    return [digests.decode(row["digest"]) for row in rows]
