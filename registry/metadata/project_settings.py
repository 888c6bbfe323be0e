"""Rows of what projects want of this registry."""

from __future__ import annotations

from dataclasses import dataclass

from database.pool import Connection

GET = "SELECT untagged_keep_days FROM registry.project_settings WHERE project_id = $1"


async def untagged_keep_days(connection: Connection, project_id: int) -> int | None:
    """Return for how many days a project keeps what is untagged and unused; None is for ever."""
    days: int | None = await connection.fetchval(GET, project_id)
    return days


SET = """
INSERT INTO registry.project_settings AS s (project_id, untagged_keep_days, untagged_queued_to)
VALUES ($1, $2, CASE WHEN $2::int IS NOT NULL THEN 0 END)
ON CONFLICT (project_id) DO UPDATE SET untagged_keep_days = excluded.untagged_keep_days,
    untagged_queued_to = excluded.untagged_queued_to
WHERE s.untagged_keep_days IS DISTINCT FROM excluded.untagged_keep_days
"""


async def set_untagged_keep_days(connection: Connection, project_id: int, days: int | None) -> None:
    """Say it; the leader puts what is untagged there into the queue of reviews, page by page."""
    await connection.execute(SET, project_id, days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unqueued:
    """A project whose untagged manifests are to be queued from an id on."""

    project_id: int
    queued_to: int


NEXT = """
SELECT project_id, untagged_queued_to AS queued_to FROM registry.project_settings
WHERE untagged_queued_to IS NOT NULL ORDER BY project_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""


async def next_unqueued(connection: Connection) -> Unqueued | None:
    """Return a project that is not through, for this transaction alone."""
    row = await connection.fetchrow(NEXT)
    return Unqueued(**row) if row else None


QUEUED = "UPDATE registry.project_settings SET untagged_queued_to = $2 WHERE project_id = $1"


async def note_queued(connection: Connection, project_id: int, queued_to: int | None) -> None:
    """Remember how far it is; None when all are queued."""
    await connection.execute(QUEUED, project_id, queued_to)
