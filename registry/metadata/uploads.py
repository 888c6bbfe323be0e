"""Rows of uploads: intents, written before the first byte.

Intent and progress need not survive a crash of Postgres itself, so they commit without waiting for
the disk: what is lost is a session, which its client begins anew, never a blob.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from database.pool import Connection
from protocol.digest import Algorithm

_QUICKLY = "WITH quickly AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload under way."""

    id: UUID
    storage_key: UUID
    offset_bytes: int
    algorithm: Algorithm
    hash_state: bytes | None


BEGIN = f"""
{_QUICKLY}
INSERT INTO registry.uploads (id, repository_id, storage_key, algorithm, expires_at)
SELECT $1, r.id, $2, $3, now() + interval '1 day' FROM quickly, registry.repositories r
WHERE r.name = $4 RETURNING repository_id
"""  # noqa: S608 constants only


async def begin(connection: Connection, upload: Upload, *, repository: str) -> bool:
    """Record an upload before its first byte; False if the repository is not there."""
    repository_id = await connection.fetchval(
        BEGIN, upload.id, upload.storage_key, upload.algorithm, repository
    )
    return repository_id is not None


GET = """
SELECT u.id, u.storage_key, u.offset_bytes, u.algorithm, u.hash_state
FROM registry.uploads u JOIN registry.repositories r ON r.id = u.repository_id
WHERE u.id = $1 AND r.name = $2 AND u.expires_at > now()
"""


async def get(connection: Connection, upload_id: UUID, *, repository: str) -> Upload | None:
    """Return an upload of a repository."""
    row = await connection.fetchrow(GET, upload_id, repository)
    if row is None:
        return None
    return Upload(**{**row, "algorithm": Algorithm(row["algorithm"])})


SAVE = f"""
{_QUICKLY}
UPDATE registry.uploads
SET offset_bytes = $2, hash_state = $3, expires_at = now() + interval '1 day'
FROM quickly WHERE id = $1
"""  # noqa: S608 constants only


async def save(
    connection: Connection, upload_id: UUID, *, offset_bytes: int, hash_state: bytes | None
) -> None:
    """Remember how far an upload got."""
    await connection.execute(SAVE, upload_id, offset_bytes, hash_state)


BURY = """
WITH gone AS (
    DELETE FROM registry.uploads u USING registry.repositories r
    WHERE u.id = $1 AND r.id = u.repository_id AND r.name = $2
    RETURNING u.storage_key, u.offset_bytes
), buried AS (
    INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
    SELECT storage_key, offset_bytes, 'cancelled' FROM gone
)
SELECT count(*) FROM gone
"""


async def cancel(connection: Connection, upload_id: UUID, *, repository: str) -> bool:
    """End an upload without a blob; False if it is gone."""
    return bool(await connection.fetchval(BURY, upload_id, repository))


EXPIRE = """
WITH gone AS (
    DELETE FROM registry.uploads WHERE id IN (
        SELECT id FROM registry.uploads WHERE expires_at <= now()
        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id, storage_key, offset_bytes
), buried AS (
    INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
    SELECT storage_key, offset_bytes, 'expired' FROM gone
)
SELECT id FROM gone
"""


async def expire(connection: Connection, *, limit: int) -> Sequence[UUID]:
    """Turn expired uploads into tombstones; return the uploads' ids."""
    return [row["id"] for row in await connection.fetch(EXPIRE, limit)]
