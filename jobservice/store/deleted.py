"""The table registry.deleted_manifests, to look at: what can be put back while its window lasts."""

from __future__ import annotations

from database.pool import Connection, Record
from jobservice.domain.collection import Deleted
from jobservice.domain.listing import Listing, Rows
from jobservice.store import listing as listing_sql

DIGEST = """
    CASE get_byte(gone.digest, 0) WHEN 1 THEN 'sha256:' WHEN 2 THEN 'sha512:' END
    || encode(substr(gone.digest, 2), 'hex')
"""
COLUMNS = {
    "id": "gone.id",
    "repository": "gone.repository::text",
    "digest": f"({DIGEST})",
    "media_type": "gone.media_type",
    "deleted_at": "gone.deleted_at",
    "deleted_by": "gone.deleted_by",
    "reason": "gone.reason",
    "until": "gone.forget_after",
}
SOURCE = "(SELECT * FROM registry.deleted_manifests WHERE forget_after > now()) AS gone"
SELECT = f"""
SELECT gone.id, gone.repository::text, {DIGEST} AS digest, gone.media_type, gone.artifact_type,
       gone.tags, gone.size_bytes, gone.pushed_at, gone.deleted_at, gone.deleted_by, gone.reason,
       gone.forget_after AS until
FROM {SOURCE}
"""  # noqa: S608  constants of this module
TABLE = listing_sql.Table(select=SELECT, source=SOURCE, columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[Deleted]:
    """Return one page of what can be put back; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _deleted)


def _deleted(row: Record) -> Deleted:
    known = {name: row[name] for name in Deleted.__dataclass_fields__}
    return Deleted(**{**known, "tags": tuple(row["tags"])})
