"""What was deleted and is remembered: manifests with their tags, and tags that went alone."""

from __future__ import annotations

from database.pool import Connection, Record
from jobservice.domain.collection import Deleted
from jobservice.domain.listing import Listing, Rows
from jobservice.store import listing as listing_sql

COLUMNS = {
    "id": "gone.id",
    "kind": "gone.kind",
    "repository": "gone.repository",
    "digest": "registry.digest_text(gone.digest)",
    "media_type": "gone.media_type",
    "deleted_at": "gone.deleted_at",
    "deleted_by": "gone.deleted_by",
    "reason": "gone.reason",
    "until": "gone.forget_after",
}
# Two tables give the ids, even and odd ones. A tag that went with its manifest is told with it.
SOURCE = """(
    SELECT 2 * m.id AS id, 'manifest' AS kind, m.repository::text, m.digest, m.media_type,
           m.artifact_type, m.tags, m.size_bytes, m.pushed_at, m.deleted_at, m.deleted_by, m.reason,
           m.forget_after
    FROM registry.deleted_manifests m
    WHERE m.forget_after > now() AND m.project_id IN (SELECT id FROM access.projects)
    UNION ALL
    SELECT 2 * t.id + 1, 'tag', t.repository::text, t.digest, NULL, NULL, ARRAY[t.name::text], NULL,
           t.pushed_at, t.deleted_at, t.deleted_by, t.reason, t.forget_after
    FROM registry.deleted_tags t
    WHERE t.forget_after > now() AND t.project_id IN (SELECT id FROM access.projects)
      AND NOT EXISTS (
          SELECT FROM registry.deleted_manifests m WHERE m.repository = t.repository
          AND m.digest = t.digest AND m.deleted_at = t.deleted_at
      )
) AS gone"""
SELECT = f"""
SELECT gone.id, gone.kind, gone.repository, registry.digest_text(gone.digest) AS digest,
       gone.media_type, gone.artifact_type, gone.tags, gone.size_bytes, gone.pushed_at,
       gone.deleted_at, gone.deleted_by, gone.reason, gone.forget_after AS until
FROM {SOURCE}
"""  # noqa: S608  constants of this module
TABLE = listing_sql.Table(select=SELECT, source=SOURCE, columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[Deleted]:
    """Return one page of what was deleted; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _deleted)


def _deleted(row: Record) -> Deleted:
    known = {name: row[name] for name in Deleted.__dataclass_fields__}
    return Deleted(**{**known, "tags": tuple(row["tags"])})
