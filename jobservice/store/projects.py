"""Projects, to look at, and how many repositories they have; access.projects writes them."""

from __future__ import annotations

from access.projects import Project
from database.pool import Connection, Record
from jobservice.domain.listing import Listing, Rows
from jobservice.store import listing as listing_sql

COLUMNS = {
    "id": "project.id",
    "name": "project.name",
    "public": "project.public",
    "owner_name": "coalesce(owner.username, '')",
    "creation_time": "project.created_at",
    "update_time": "project.updated_at",
}
SOURCE = "access.projects AS project LEFT JOIN access.users AS owner ON owner.id = project.owner_id"
SELECT = f"""
SELECT project.id, project.name, project.public, project.owner_id,
       coalesce(owner.username, '') AS owner_name, project.created_at, project.updated_at
FROM {SOURCE}
"""  # noqa: S608  a constant of this module
TABLE = listing_sql.Table(select=SELECT, source=SOURCE, columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[Project]:
    """Return one page of projects; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _project)


def _project(row: Record) -> Project:
    return Project(**row)


# Those that hold nothing do not count.
COUNT = """
SELECT project_id, count(*) AS repositories
FROM registry.repositories AS repository
WHERE project_id = ANY($1)
  AND EXISTS (SELECT FROM registry.manifests WHERE repository_id = repository.id)
GROUP BY project_id
"""


async def repositories(connection: Connection, project_ids: list[int]) -> dict[int, int]:
    """Return the number of repositories by project; projects without any are left out."""
    rows = await connection.fetch(COUNT, project_ids)
    return {row["project_id"]: row["repositories"] for row in rows}


UNTAGGED = """
SELECT project_id, untagged_keep_days AS days FROM registry.project_settings
WHERE project_id = ANY($1) AND untagged_keep_days IS NOT NULL
"""


async def untagged_keep_days(connection: Connection, project_ids: list[int]) -> dict[int, int]:
    """Return for how long projects keep what is untagged; those that keep it are left out."""
    rows = await connection.fetch(UNTAGGED, project_ids)
    return {row["project_id"]: row["days"] for row in rows}
