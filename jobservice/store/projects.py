"""How many repositories projects have."""

from __future__ import annotations

from database.pool import Connection

COUNT = """
SELECT project_id, count(*) AS repositories
FROM registry.repositories WHERE project_id = ANY($1) GROUP BY project_id
"""


async def repositories(connection: Connection, project_ids: list[int]) -> dict[int, int]:
    """Return the number of repositories by project; projects without any are left out."""
    rows = await connection.fetch(COUNT, project_ids)
    return {row["project_id"]: row["repositories"] for row in rows}
