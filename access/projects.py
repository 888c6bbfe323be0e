"""Projects: the first component of every repository's name, and who may read it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from access.errors import InvalidProjectName, ProjectExists, ProjectNotEmpty, ProjectNotFound
from access.identity import Principal
from database import pool
from database.pool import Connection

NAME_LIMIT: Final = 255
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A namespace of repositories. `owner_name` is empty when its owner is gone."""

    id: int
    name: str
    public: bool
    owner_id: int | None
    owner_name: str
    created_at: datetime
    updated_at: datetime


def check_name(name: str) -> None:
    """Raise InvalidProjectName with the rule that `name` breaks."""
    if not name or len(name) > NAME_LIMIT:
        raise InvalidProjectName(f"a project name has 1 to {NAME_LIMIT} characters")
    if not _NAME.fullmatch(name):
        raise InvalidProjectName(
            f"{name[:80]!r} is no project name: lower-case letters and digits, separated by one "
            "'.', one or two '_', or any number of '-'"
        )


_COLUMNS = """
SELECT p.id, p.name, p.public, p.owner_id, coalesce(u.username, '') AS owner_name,
       p.created_at, p.updated_at
FROM access.projects p LEFT JOIN access.users u ON u.id = p.owner_id
"""
GET_BY_NAME = f"{_COLUMNS} WHERE p.name = $1"
GET_BY_ID = f"{_COLUMNS} WHERE p.id = $1"


async def get(connection: Connection, name_or_id: str | int) -> Project:
    """Return a project; raise ProjectNotFound."""
    query = GET_BY_ID if isinstance(name_or_id, int) else GET_BY_NAME
    row = await connection.fetchrow(query, name_or_id)
    if row is None:
        raise ProjectNotFound(name_or_id)
    return Project(**row)


CREATE = """
INSERT INTO access.projects (name, public, owner_id) VALUES ($1, $2, $3)
ON CONFLICT (name) DO NOTHING RETURNING id
"""


async def create(
    connection: Connection, *, name: str, public: bool, owner: Principal | None = None
) -> Project:
    """Create a project; raise InvalidProjectName or ProjectExists."""
    check_name(name)
    owner_id = owner.user_id if owner else None
    project_id = await connection.fetchval(CREATE, name, public, owner_id)
    if project_id is None:
        raise ProjectExists(name)
    return await get(connection, int(project_id))


async def ensure(connection: Connection, *, name: str, public: bool) -> None:
    """Create a project unless it is there; one that is there stays as it is."""
    check_name(name)
    await connection.execute(CREATE, name, public, None)


SET_PUBLIC = "UPDATE access.projects SET public = $2, updated_at = now() WHERE id = $1"


async def set_public(connection: Connection, project_id: int, *, public: bool) -> None:
    """Change who may read it."""
    await connection.execute(SET_PUBLIC, project_id, public)


DELETE = "DELETE FROM access.projects WHERE id = $1"


async def delete(connection: Connection, project: Project) -> None:
    """Delete a project that no repository is in; raise ProjectNotEmpty.

    `registry.service.Registry.delete_project` also clears away repositories that hold nothing.
    """
    try:
        async with connection.transaction():
            await connection.execute(DELETE, project.id)
    except pool.REFERENCE_VIOLATIONS:
        raise ProjectNotEmpty(project.name) from None
