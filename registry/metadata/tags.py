"""Rows of tags, in bytewise order."""

from __future__ import annotations

from collections.abc import Sequence

from database.pool import Connection
from protocol.digest import Digest
from registry.events import Action
from registry.metadata import digests, outbox

PAGE = """
SELECT name FROM registry.tags WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3
"""


async def page(
    connection: Connection, repository_id: int, *, after: str, limit: int
) -> Sequence[str]:
    """Return the tags that come after `after`."""
    return [row["name"] for row in await connection.fetch(PAGE, repository_id, after, limit)]


PAGE_WITH_DIGESTS = """
SELECT t.name, m.digest FROM registry.tags t JOIN registry.manifests m ON m.id = t.manifest_id
WHERE t.repository_id = $1 AND t.name > $2 ORDER BY t.name LIMIT $3
"""


async def page_with_digests(
    connection: Connection, repository_id: int, *, after: str, limit: int
) -> Sequence[tuple[str, Digest]]:
    """Return the tags that come after `after`, and what they point to."""
    rows = await connection.fetch(PAGE_WITH_DIGESTS, repository_id, after, limit)
    return [(row["name"], digests.decode(row["digest"])) for row in rows]


DELETE = f"""
WITH gone AS (
    DELETE FROM registry.tags t USING registry.repositories r
    WHERE r.name = $1 AND t.repository_id = r.id AND t.name = $2 RETURNING t.*
), happened AS (
    SELECT '{Action.UNTAG}' AS action, m.repository_id, m.digest, ARRAY[gone.name] AS tags,
           m.media_type, m.artifact_type, m.size_bytes, m.subject_digest, $3::text AS by,
           false AS is_new
    FROM gone JOIN registry.manifests m ON m.id = gone.manifest_id
)
{outbox.ADD}
"""  # noqa: S608 constants only


async def delete(connection: Connection, repository: str, tag: str, *, by: str) -> bool:
    """Delete a tag and nothing else; say whether it was there."""
    return await connection.execute(DELETE, repository, tag, by) != "INSERT 0 0"
