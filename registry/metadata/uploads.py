"""Rows of uploads: intents, written before the first byte.

Intent and progress need not survive a crash of Postgres itself, so they commit without waiting for
the disk: what is lost is a session, which its client begins anew, never a blob.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
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
    hash_state: bytes | None = None
    partial_state: bytes | None = field(default=None, repr=False)


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
SELECT u.id, u.storage_key, u.offset_bytes, u.algorithm, u.hash_state, u.partial_state
FROM registry.uploads u JOIN registry.repositories r ON r.id = u.repository_id
WHERE u.id = $1 AND r.name = $2 AND u.expires_at > now()
"""


async def get(connection: Connection, upload_id: UUID, *, repository: str) -> Upload | None:
    """Return an upload of a repository."""
    row = await connection.fetchrow(GET, upload_id, repository)
    return _upload(row) if row else None


CLAIM = f"""
{_QUICKLY}
UPDATE registry.uploads u SET busy_token = $3, busy_until = now() + make_interval(secs => $4)
FROM quickly, registry.repositories r
WHERE u.id = $1 AND r.id = u.repository_id AND r.name = $2 AND u.expires_at > now()
  AND (u.busy_until IS NULL OR u.busy_until <= now())
RETURNING u.id, u.storage_key, u.offset_bytes, u.algorithm, u.hash_state, u.partial_state
"""  # noqa: S608 constants only


async def claim(
    connection: Connection, upload_id: UUID, *, repository: str, token: UUID, seconds: float
) -> Upload | None:
    """Hold an upload that nobody holds, for some seconds; None if there is none."""
    row = await connection.fetchrow(CLAIM, upload_id, repository, token, seconds)
    return _upload(row) if row else None


RENEW = f"""
{_QUICKLY}
UPDATE registry.uploads
SET busy_until = now() + make_interval(secs => $3), expires_at = now() + interval '1 day'
FROM quickly WHERE id = $1 AND busy_token = $2 RETURNING id
"""  # noqa: S608 constants only


async def renew(connection: Connection, upload_id: UUID, *, token: UUID, seconds: float) -> bool:
    """Hold an upload for longer; False if somebody else has it or it is gone."""
    return await connection.fetchval(RENEW, upload_id, token, seconds) is not None


RELEASE = f"""
{_QUICKLY}
UPDATE registry.uploads SET busy_token = NULL, busy_until = NULL
FROM quickly WHERE id = $1 AND busy_token = $2
"""  # noqa: S608 constants only


async def release(connection: Connection, upload_id: UUID, *, token: UUID) -> None:
    """Let go of an upload; nothing happens if it is somebody else's or gone."""
    await connection.execute(RELEASE, upload_id, token)


SAVE = f"""
{_QUICKLY}
UPDATE registry.uploads
SET offset_bytes = $3, hash_state = $4, partial_state = $5, expires_at = now() + interval '1 day'
FROM quickly WHERE id = $1 AND busy_token IS NOT DISTINCT FROM $2 RETURNING id
"""  # noqa: S608 constants only


async def save(connection: Connection, upload: Upload, *, token: UUID | None) -> bool:
    """Remember how far an upload got; False if it is no longer held by `token`, or gone."""
    saved = await connection.fetchval(
        SAVE, upload.id, token, upload.offset_bytes, upload.hash_state, upload.partial_state
    )
    return saved is not None


BURY = """
WITH gone AS (
    DELETE FROM registry.uploads u USING registry.repositories r
    WHERE u.id = $1 AND r.id = u.repository_id AND r.name = $2
      AND u.busy_token IS NOT DISTINCT FROM $3
    RETURNING u.storage_key, u.offset_bytes
), buried AS (
    INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
    SELECT storage_key, offset_bytes, 'cancelled' FROM gone
)
SELECT count(*) FROM gone
"""


async def cancel(
    connection: Connection, upload_id: UUID, *, repository: str, token: UUID | None
) -> bool:
    """End an upload without a blob; False if it is gone, or no longer held by `token`."""
    return bool(await connection.fetchval(BURY, upload_id, repository, token))


EXPIRE = """
WITH gone AS (
    DELETE FROM registry.uploads WHERE id IN (
        SELECT id FROM registry.uploads WHERE expires_at <= now()
        ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id, storage_key, offset_bytes, algorithm, partial_state
), buried AS (
    INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
    SELECT storage_key, offset_bytes, 'expired' FROM gone
)
SELECT id, storage_key, offset_bytes, algorithm, partial_state FROM gone
"""


async def expire(connection: Connection, *, limit: int) -> Sequence[Upload]:
    """Turn expired uploads into tombstones; return them."""
    rows = await connection.fetch(EXPIRE, limit)
    return [_upload(row) for row in rows]


KNOWN = """
SELECT id AS name FROM registry.uploads WHERE id = ANY($1)
UNION ALL SELECT storage_key FROM registry.uploads WHERE storage_key = ANY($1)
"""


async def known(connection: Connection, names: Sequence[UUID]) -> frozenset[UUID]:
    """Return those of the names that are an upload's id or its storage key."""
    return frozenset(row["name"] for row in await connection.fetch(KNOWN, names))


def _upload(row: Mapping[str, Any]) -> Upload:
    return Upload(**{**row, "algorithm": Algorithm(row["algorithm"])})
