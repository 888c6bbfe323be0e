"""Writing a manifest: lock what it needs, then the row with all its edges and tags at once.

Lock order, everywhere: repository, manifests by id, links by id, tags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from database.pool import Connection
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from registry.events import Action
from registry.metadata import digests, outbox

LOCK_CHILDREN = """
SELECT digest, id FROM registry.manifests
WHERE repository_id = $1 AND digest = ANY($2) ORDER BY id FOR KEY SHARE
"""
LOCK_LINKS = """
SELECT b.digest, b.id FROM registry.repository_blobs l JOIN registry.blobs b ON b.id = l.blob_id
WHERE l.repository_id = $1 AND b.digest = ANY($2) AND b.lost_at IS NULL
ORDER BY b.id FOR KEY SHARE OF l, b
"""


async def lock_children(
    connection: Connection, repository_id: int, wanted: Sequence[Digest]
) -> Mapping[Digest, int]:
    """Return the ids of those manifests that are there; none of them can go in this transaction."""
    return await _lock(connection, LOCK_CHILDREN, repository_id, wanted)


async def lock_links(
    connection: Connection, repository_id: int, wanted: Sequence[Digest]
) -> Mapping[Digest, int]:
    """Return the ids of those blobs that are there; none of them can go in this transaction."""
    return await _lock(connection, LOCK_LINKS, repository_id, wanted)


async def _lock(
    connection: Connection, query: str, repository_id: int, wanted: Sequence[Digest]
) -> Mapping[Digest, int]:
    if not wanted:
        return {}
    stored = [digests.encode(digest) for digest in wanted]
    rows = await connection.fetch(query, repository_id, stored)
    return {digests.decode(row["digest"]): row["id"] for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A blob or a child that a manifest names: its row, its digest, and its role or platform."""

    id: int
    digest: Digest
    label: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewManifest:
    """A manifest to write. `entry` is what a list of referrers says of it.

    Of the tags the `immutable_tags` are not moved from where they are. `is_told`: it is a push, of
    which others hear.
    """

    repository_id: int
    entry: Descriptor
    body: bytes
    subject: Digest | None
    config_media_type: str | None
    pushed_by: str
    blobs: Sequence[Edge]
    children: Sequence[Edge]
    tags: Sequence[str]
    immutable_tags: Sequence[str]
    is_told: bool


WRITE = f"""
WITH manifest AS (
    INSERT INTO registry.manifests (repository_id, digest, media_type, artifact_type,
        config_media_type, annotations, size_bytes, payload, subject_digest, pushed_by, lease_until)
    VALUES ($1, $2, $3, $4, $5, $6, octet_length($7::bytea), $7::bytea, $8, $9,
        now() + interval '1 hour')
    ON CONFLICT (repository_id, digest)
    DO UPDATE SET lease_until = excluded.lease_until,
        last_used_at = CASE WHEN $15::text[] = '{{}}' THEN now() ELSE manifests.last_used_at END
    RETURNING id, xmax = 0 AS is_new
), blobs AS (
    INSERT INTO registry.manifest_blobs (repository_id, manifest_id, blob_id, role)
    SELECT $1, manifest.id, b.id, b.role
    FROM manifest, unnest($10::bigint[], $11::text[]) AS b (id, role)
    ON CONFLICT DO NOTHING
), children AS (
    INSERT INTO registry.manifest_children
        (repository_id, parent_id, child_digest, child_id, platform)
    SELECT $1, manifest.id, c.digest, c.id, c.platform
    FROM manifest, unnest($12::bytea[], $13::bigint[], $14::text[]) AS c (digest, id, platform)
    ON CONFLICT DO NOTHING
), used AS (
    UPDATE registry.repository_blobs l SET lease_until = now()
    FROM (
        SELECT blob_id FROM registry.repository_blobs
        WHERE repository_id = $1 AND blob_id = ANY($10::bigint[]) AND lease_until > now()
        ORDER BY blob_id FOR NO KEY UPDATE SKIP LOCKED
    ) AS leased
    WHERE l.repository_id = $1 AND l.blob_id = leased.blob_id
), tagged AS (
    INSERT INTO registry.tags AS tag (repository_id, name, manifest_id)
    SELECT $1, t.name, manifest.id FROM manifest, unnest($15::text[]) AS t (name)
    ON CONFLICT (repository_id, name)
    DO UPDATE SET manifest_id = excluded.manifest_id, pushed_at = now()
    WHERE tag.manifest_id = excluded.manifest_id OR tag.name <> ALL ($17::text[])
    RETURNING name
), happened AS (
    SELECT '{Action.PUSH}' AS action, $1::bigint AS repository_id, $2::bytea AS digest,
           ARRAY(SELECT name FROM tagged ORDER BY name) AS tags, $3::text AS media_type,
           $4::text AS artifact_type, octet_length($7::bytea) AS size_bytes,
           $8::bytea AS subject_digest, $9::text AS by, is_new
    FROM manifest WHERE $16
), told AS (
    {outbox.ADD}
)
SELECT name FROM unnest($15::text[]) AS t (name) EXCEPT SELECT name FROM tagged
"""  # noqa: S608 constants only


async def write(connection: Connection, manifest: NewManifest) -> Sequence[str]:
    """Write a manifest, its edges, its tags and the event of it; return the tags left unmoved.

    One that is there is only leased and tagged; without a tag that counts as a use of it. The
    leases of its blobs are over: it keeps them. A lease that another transaction has in hand is
    left to run, so that pushes never wait for it.
    """
    entry = manifest.entry
    rows = await connection.fetch(
        WRITE,
        manifest.repository_id,
        digests.encode(entry.digest),
        entry.media_type,
        entry.artifact_type,
        manifest.config_media_type,
        dict(entry.annotations),
        manifest.body,
        digests.encode(manifest.subject) if manifest.subject else None,
        manifest.pushed_by,
        [edge.id for edge in manifest.blobs],
        [edge.label for edge in manifest.blobs],
        [digests.encode(edge.digest) for edge in manifest.children],
        [edge.id for edge in manifest.children],
        [edge.label for edge in manifest.children],
        sorted(set(manifest.tags)),
        manifest.is_told,
        list(manifest.immutable_tags),
    )
    return sorted(row["name"] for row in rows)
