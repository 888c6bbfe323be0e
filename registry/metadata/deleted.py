"""Rows of manifests and tags that were deleted; triggers wrote them, undeleting takes them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection
from protocol.content import RawManifest
from protocol.digest import Digest
from registry.events import Action
from registry.metadata import digests, outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedManifest:
    """A manifest as it was, with the tags that went with it; `raw` is what was pushed."""

    id: int
    raw: RawManifest
    tags: Sequence[str]
    deleted_at: datetime


# A project that was made anew under the name of one that is gone gets nothing of that.
OF_THE_SAME_PROJECT = """
project_id = (SELECT p.id FROM access.projects p WHERE p.name = split_part($1, '/', 1))
"""
MANIFEST = f"""
SELECT id, digest, media_type, payload, tags, deleted_at FROM registry.deleted_manifests
WHERE repository = $1 AND digest = $2 AND forget_after > now() AND {OF_THE_SAME_PROJECT}
ORDER BY id DESC LIMIT 1
"""  # noqa: S608 constants only


async def manifest(
    connection: Connection, repository: str, digest: Digest
) -> DeletedManifest | None:
    """Return a manifest as it was when it was deleted last; None if that is over, or never was."""
    row = await connection.fetchrow(MANIFEST, repository, digests.encode(digest))
    if row is None:
        return None
    return DeletedManifest(
        id=row["id"],
        raw=RawManifest(media_type=row["media_type"], digest=digest, body=row["payload"]),
        tags=tuple(row["tags"]),
        deleted_at=row["deleted_at"],
    )


TAG = f"""
SELECT digest FROM registry.deleted_tags
WHERE repository = $1 AND name = $2 AND forget_after > now() AND {OF_THE_SAME_PROJECT}
ORDER BY id DESC LIMIT 1
"""  # noqa: S608 constants only


async def tag_target(connection: Connection, repository: str, tag: str) -> Digest | None:
    """Return what a tag led to when it was deleted last; None if that is over, or never was."""
    stored = await connection.fetchval(TAG, repository, tag)
    return digests.decode(stored) if stored is not None else None


# What refers to it, and what carries its cosign tags or the fallback's: if it went no earlier.
COMPANIONS = """
SELECT digest FROM registry.deleted_manifests
WHERE repository = $1 AND subject_digest = $2 AND deleted_at >= $3 AND forget_after > now()
UNION
SELECT digest FROM registry.deleted_tags
WHERE repository = $1 AND deleted_at >= $3 AND forget_after > now() AND name IN (
    SELECT registry.companion_tag($2) || suffix
    FROM unnest(ARRAY['', '.sig', '.att', '.sbom']) AS suffix
)
ORDER BY 1
"""


async def companions(
    connection: Connection, repository: str, subject: Digest, *, since: datetime
) -> Sequence[Digest]:
    """Return what went after its subject, or with it."""
    rows = await connection.fetch(COMPANIONS, repository, digests.encode(subject), since)
    return [digests.decode(row["digest"]) for row in rows]


# Tags come back as they were where their names are free; being asked for again is a use.
_TAGGED = """
tagged AS (
    INSERT INTO registry.tags
        (repository_id, name, manifest_id, pushed_at, last_used_at, pulled_at, pull_count)
    SELECT DISTINCT ON (t.name) m.repository_id, t.name, m.id, t.pushed_at, now(), t.pulled_at,
           t.pull_count
    FROM manifest m JOIN registry.repositories r ON r.id = m.repository_id
    JOIN registry.deleted_tags t ON t.repository = r.name AND t.digest = m.digest
     AND t.project_id = r.project_id
    WHERE t.name = ANY($3) ORDER BY t.name, t.id DESC
    ON CONFLICT DO NOTHING RETURNING name
)"""
_TOLD = f"""
happened AS (
    SELECT '{Action.PUSH}' AS action, m.repository_id, m.digest,
           ARRAY(SELECT name FROM tagged ORDER BY name) AS tags, m.media_type, m.artifact_type,
           m.size_bytes, m.subject_digest, $4::text AS by, m.is_new
    FROM manifest m WHERE m.is_new OR EXISTS (SELECT FROM tagged)
), told AS ({outbox.ADD})
SELECT name FROM tagged
"""  # noqa: S608 constants only
RESTORE = f"""
WITH manifest AS (
    UPDATE registry.manifests m
    SET pushed_at = d.pushed_at, pushed_by = d.pushed_by, pulled_at = d.pulled_at,
        pull_count = d.pull_count, last_used_at = now()
    FROM registry.deleted_manifests d
    WHERE d.id = $1 AND m.repository_id = $2 AND m.digest = d.digest
    RETURNING m.*, true AS is_new
), {_TAGGED}, {_TOLD}"""  # noqa: S608 constants only
RESTORE_TAG = f"""
WITH manifest AS (
    SELECT m.*, false AS is_new FROM registry.manifests m
    WHERE m.repository_id = $1 AND m.digest = $2 FOR KEY SHARE
), {_TAGGED}, {_TOLD}"""  # noqa: S608 constants only
# Labels come back where they are still there.
RELABEL = """
INSERT INTO registry.manifest_labels (repository_id, digest, label_id)
SELECT $2, d.digest, l.id FROM registry.deleted_manifests d
JOIN registry.deleted_labels was USING (repository, digest, deleted_at)
JOIN registry.labels l ON l.id = was.label_id
WHERE d.id = $1 ORDER BY l.id FOR KEY SHARE OF l
ON CONFLICT DO NOTHING
"""
FORGET_LABELS = "DELETE FROM registry.deleted_labels WHERE repository = $1 AND digest = $2"
FORGET_MANIFESTS = "DELETE FROM registry.deleted_manifests WHERE repository = $1 AND digest = $2"
FORGET_TAGS = """
DELETE FROM registry.deleted_tags WHERE repository = $1 AND digest = $2 AND name = ANY($3)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A repository, and who has something put back into it."""

    repository_id: int
    repository: str
    by: str


async def restore(
    connection: Connection, place: Place, deleted: DeletedManifest, *, tags: Sequence[str]
) -> Sequence[str]:
    """Make a manifest that was written again what it was; return the tags that are back."""
    rows = await connection.fetch(RESTORE, deleted.id, place.repository_id, list(tags), place.by)
    back = sorted(row["name"] for row in rows)
    stored = digests.encode(deleted.raw.digest)
    await connection.execute(RELABEL, deleted.id, place.repository_id)
    await connection.execute(FORGET_LABELS, place.repository, stored)
    await connection.execute(FORGET_MANIFESTS, place.repository, stored)
    await connection.execute(FORGET_TAGS, place.repository, stored, back)
    return back


async def restore_tag(connection: Connection, place: Place, tag: str, target: Digest) -> bool:
    """Let a tag lead again to a manifest that is here; False if its name is taken."""
    stored = digests.encode(target)
    rows = await connection.fetch(RESTORE_TAG, place.repository_id, stored, [tag], place.by)
    await connection.execute(FORGET_TAGS, place.repository, stored, [row["name"] for row in rows])
    return bool(rows)


# Released, or at the end of the window, is gone; so it cannot meet a sweep, of whichever release.
# What was imported in place twice lies at one path: the later key alone decides when that goes.
TOMBSTONES = """
FROM registry.tombstones t
WHERE digest = ANY($1) AND released_at IS NULL AND delete_after > now()
  AND (adopted_path IS NULL OR EXISTS (
      SELECT FROM registry.adoptions a WHERE a.storage_key = t.storage_key
  ))
"""
LOCK_TOMBSTONES = f"""
SELECT storage_key, digest {TOMBSTONES}
ORDER BY storage_key FOR UPDATE OF t
"""
REVIVE = """
INSERT INTO registry.blobs (digest, size_bytes, storage_key, adopted_path)
SELECT digest, size_bytes, storage_key, adopted_path FROM registry.tombstones
WHERE storage_key = ANY($1) ORDER BY digest
ON CONFLICT (digest) DO NOTHING
"""
UNBURY = """
DELETE FROM registry.tombstones t USING registry.blobs b
WHERE t.storage_key = ANY($1) AND b.storage_key = t.storage_key
"""
LINK = """
WITH blob AS (
    SELECT id FROM registry.blobs WHERE digest = ANY($2) AND lost_at IS NULL
    ORDER BY id FOR KEY SHARE
)
INSERT INTO registry.repository_blobs (repository_id, blob_id, lease_until)
SELECT $1, blob.id, now() + interval '1 hour' FROM blob
ON CONFLICT (repository_id, blob_id) DO UPDATE SET lease_until = excluded.lease_until
"""


async def revive_blobs(
    connection: Connection, repository_id: int, wanted: Sequence[Digest]
) -> None:
    """Give a repository those blobs that are here, or whose objects are not released yet.

    Where somebody pushed a digest meanwhile, that is what is linked, and the old object goes.
    """
    stored = [digests.encode(digest) for digest in wanted]
    keys: Mapping[bytes, object] = {
        row["digest"]: row["storage_key"] for row in await connection.fetch(LOCK_TOMBSTONES, stored)
    }
    await connection.execute(REVIVE, list(keys.values()))
    await connection.execute(UNBURY, list(keys.values()))
    await connection.execute(LINK, repository_id, stored)


FORGET_OLD = """
WITH manifests AS (
    DELETE FROM registry.deleted_manifests WHERE id IN (
        SELECT id FROM registry.deleted_manifests WHERE forget_after <= now()
        ORDER BY forget_after LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id
), tags AS (
    DELETE FROM registry.deleted_tags WHERE id IN (
        SELECT id FROM registry.deleted_tags WHERE forget_after <= now()
        ORDER BY forget_after LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id
), labels AS (
    DELETE FROM registry.deleted_labels WHERE id IN (
        SELECT id FROM registry.deleted_labels WHERE forget_after <= now()
        ORDER BY forget_after LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id
)
SELECT greatest((SELECT count(*) FROM manifests), (SELECT count(*) FROM tags),
                (SELECT count(*) FROM labels))
"""


async def forget_old(connection: Connection, *, limit: int) -> bool:
    """Drop up to `limit` rows of each kind that are past their window; say if there may be more."""
    count: int = await connection.fetchval(FORGET_OLD, limit)
    return count == limit
