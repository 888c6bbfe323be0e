"""Rows of events that were not handed on yet; written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Sequence

from database.pool import Connection
from registry.events import Told

# The end of a statement whose CTE `happened` has a row for each event: action, repository_id,
# digest, tags, media_type, artifact_type, size_bytes, subject_digest, by, is_new.
ADD = """
INSERT INTO registry.outbox (event)
SELECT jsonb_build_object(
    'action', happened.action, 'project_id', r.project_id, 'repository', r.name,
    'digest', registry.digest_text(happened.digest), 'tags', to_jsonb(happened.tags),
    'media_type', happened.media_type, 'artifact_type', happened.artifact_type,
    'size_bytes', happened.size_bytes, 'subject', registry.digest_text(happened.subject_digest),
    'by', happened.by, 'is_new', happened.is_new)
FROM happened JOIN registry.repositories r ON r.id = happened.repository_id
"""

_DUE = "not_before IS NULL OR not_before <= clock_timestamp()"
ANY_DUE = f"SELECT EXISTS (SELECT FROM registry.outbox WHERE {_DUE})"  # noqa: S608  a constant


async def any_due(connection: Connection) -> bool:
    """Say whether there is anything to hand on."""
    return bool(await connection.fetchval(ANY_DUE))


TAKE = f"""
SELECT id, event_id::text, created_at AS occurred_at, event AS facts
FROM registry.outbox
WHERE {_DUE}
ORDER BY id LIMIT $1
FOR UPDATE SKIP LOCKED
"""  # noqa: S608  a constant of this module


async def take(connection: Connection, *, limit: int) -> tuple[Told, ...]:
    """Return the oldest rows that nobody else holds; they are ours until the transaction ends."""
    return tuple(Told(**row) for row in await connection.fetch(TAKE, limit))


DELETE = "DELETE FROM registry.outbox WHERE id = ANY($1::bigint[])"


async def delete(connection: Connection, rows: Sequence[Told]) -> None:
    """Remove what was handed on."""
    await connection.execute(DELETE, [row.id for row in rows])


POSTPONE = """
UPDATE registry.outbox SET not_before = clock_timestamp() + make_interval(secs => $2) WHERE id = $1
"""


async def postpone(connection: Connection, row: Told, *, seconds: float) -> None:
    """Let a row that could not be handed on wait."""
    await connection.execute(POSTPONE, row.id, seconds)
