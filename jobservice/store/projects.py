"""How many repositories projects have; those that hold nothing do not count."""

from __future__ import annotations

from database.pool import Connection

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
