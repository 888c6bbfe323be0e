"""Rows of repositories, and the project each is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from database.pool import Connection

PROJECT_IS_PUBLIC = "SELECT public FROM access.projects WHERE name = $1"


async def project_is_public(connection: Connection, project: str) -> bool | None:
    """Say whether everybody may read a project; None if it is not there."""
    public: bool | None = await connection.fetchval(PROJECT_IS_PUBLIC, project)
    return public


ABOUT = """
SELECT p.public AS is_public, r.created_at
FROM access.projects p LEFT JOIN registry.repositories r ON r.project_id = p.id AND r.name = $2
WHERE p.id = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Who may read a repository, and since when it is there; None once it is gone."""

    is_public: bool
    created_at: datetime | None


async def about(connection: Connection, project_id: int, name: str) -> About:
    """Return what is known of a repository; one whose project is gone is private."""
    row = await connection.fetchrow(ABOUT, project_id, name)
    return About(**row) if row else About(is_public=False, created_at=None)


FIND = "SELECT id FROM registry.repositories WHERE name = $1"


async def find(connection: Connection, name: str) -> int | None:
    """Return a repository's id; None if it is not there."""
    repository_id: int | None = await connection.fetchval(FIND, name)
    return repository_id


ENSURE = """
INSERT INTO registry.repositories (project_id, name)
SELECT id, $2 FROM access.projects WHERE name = $1
ON CONFLICT (name) DO UPDATE SET updated_at = now()
RETURNING id
"""


async def ensure(connection: Connection, *, project: str, name: str) -> int | None:
    """Return a repository's id, created if need be; None if its project is not there."""
    known = await find(connection, name)
    if known is not None:
        return known
    repository_id: int | None = await connection.fetchval(ENSURE, project, name)
    return repository_id


PAGE = """
SELECT r.name FROM registry.repositories r
WHERE r.name > $1 AND EXISTS (SELECT FROM registry.manifests m WHERE m.repository_id = r.id)
ORDER BY r.name LIMIT $2
"""


async def page(connection: Connection, *, after: str, limit: int) -> Sequence[str]:
    """Return names of repositories that hold something, in bytewise order."""
    return [row["name"] for row in await connection.fetch(PAGE, after, limit)]


HAS_PROJECT = "SELECT EXISTS (SELECT FROM access.projects WHERE id = $1)"


async def has_project(connection: Connection, project_id: int) -> bool:
    """Say whether a project is there."""
    return bool(await connection.fetchval(HAS_PROJECT, project_id))


PAGE_OF_PROJECT = """
SELECT r.name FROM registry.repositories r
WHERE r.project_id = $1 AND r.name > $2
  AND EXISTS (SELECT FROM registry.manifests m WHERE m.repository_id = r.id)
ORDER BY r.name LIMIT $3
"""


async def page_of_project(
    connection: Connection, project_id: int, *, after: str, limit: int
) -> Sequence[str]:
    """Return names of a project's repositories that hold something, in bytewise order."""
    rows = await connection.fetch(PAGE_OF_PROJECT, project_id, after, limit)
    return [row["name"] for row in rows]


COUNT_IN_PROJECT = """
SELECT count(*) FROM registry.repositories r JOIN access.projects p ON p.id = r.project_id
WHERE p.name = $1 AND EXISTS (SELECT FROM registry.manifests m WHERE m.repository_id = r.id)
"""


async def count_in_project(connection: Connection, project: str) -> int:
    """Return how many repositories of a project hold something."""
    return int(await connection.fetchval(COUNT_IN_PROJECT, project))


# A link that no manifest needs goes with its repository; triggers queue its blob for collection.
EMPTY = """
SELECT r.id FROM registry.repositories r
WHERE r.project_id = $1 AND NOT EXISTS
    (SELECT FROM registry.manifests m WHERE m.repository_id = r.id)
ORDER BY r.id FOR UPDATE OF r
"""
BURY_UPLOADS = """
WITH gone AS (
    DELETE FROM registry.uploads WHERE repository_id = ANY($1) RETURNING storage_key, offset_bytes
)
INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
SELECT storage_key, offset_bytes, 'cancelled' FROM gone ON CONFLICT DO NOTHING
"""
UNLINK = "DELETE FROM registry.repository_blobs WHERE repository_id = ANY($1)"
DELETE = "DELETE FROM registry.repositories WHERE id = ANY($1)"


async def delete_empty(connection: Connection, project_id: int) -> None:
    """Delete a project's repositories that hold no manifest."""
    ids = [row["id"] for row in await connection.fetch(EMPTY, project_id)]
    if ids:
        for statement in (BURY_UPLOADS, UNLINK, DELETE):
            await connection.execute(statement, ids)
