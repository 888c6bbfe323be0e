"""Rows of tags, in bytewise order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from database.pool import Connection
from protocol.digest import Digest
from registry.events import Action
from registry.metadata import deletion, digests, outbox

PAGE = """
SELECT t.name FROM registry.repositories r LEFT JOIN LATERAL (
    SELECT name FROM registry.tags WHERE repository_id = r.id AND name > $2 ORDER BY name LIMIT $3
) t ON true
WHERE r.name = $1 ORDER BY t.name
"""


async def page(
    connection: Connection, repository: str, *, after: str, limit: int
) -> Sequence[str] | None:
    """Return the tags that come after `after`; None if the repository is not there."""
    rows = await connection.fetch(PAGE, repository, after, limit)
    return [row["name"] for row in rows if row["name"] is not None] if rows else None


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


MOVING = """
SELECT t.name FROM registry.repositories r JOIN registry.tags t ON t.repository_id = r.id
JOIN registry.manifests m ON m.id = t.manifest_id
WHERE r.name = $1 AND t.name = ANY($2) AND m.digest <> $3 ORDER BY t.name
"""


async def moving(
    connection: Connection, repository: str, names: Sequence[str], *, to: Digest
) -> Sequence[str]:
    """Return those of the tags that lead to another manifest."""
    rows = await connection.fetch(MOVING, repository, list(names), digests.encode(to))
    return [row["name"] for row in rows]


STANDING = """
SELECT r.name AS repository, registry.digest_text(m.digest) AS digest,
       ARRAY(SELECT t.name FROM registry.tags t
             WHERE t.repository_id = m.repository_id AND t.manifest_id = m.id
             ORDER BY t.name) AS tags,
       EXISTS (SELECT FROM registry.manifest_children c
               WHERE c.repository_id = m.repository_id AND c.child_id = m.id) AS is_child
FROM unnest($1::text[], $2::bytea[]) AS wanted (repository, digest)
JOIN registry.repositories r ON r.name = wanted.repository
JOIN registry.manifests m ON m.repository_id = r.id AND m.digest = wanted.digest
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The tags of an artifact, and whether an index names it."""

    tags: tuple[str, ...]
    is_child: bool


async def standing(
    connection: Connection, wanted: Sequence[tuple[str, str]]
) -> Mapping[tuple[str, str], Standing]:
    """Return what is known of artifacts by repository and digest; those not there are left out."""
    rows = await connection.fetch(
        STANDING,
        [repository for repository, _ in wanted],
        [digests.encode(Digest.parse(digest)) for _, digest in wanted],
    )
    return {
        (row["repository"], row["digest"]): Standing(
            tags=tuple(row["tags"]), is_child=row["is_child"]
        )
        for row in rows
    }


DELETE = f"""
{deletion.BY}, gone AS (
    DELETE FROM registry.tags t USING said, registry.repositories r
    WHERE r.name = $3 AND t.repository_id = r.id AND t.name = $4 RETURNING t.*
), happened AS (
    SELECT '{Action.UNTAG}' AS action, m.repository_id, m.digest, ARRAY[gone.name] AS tags,
           m.media_type, m.artifact_type, m.size_bytes, m.subject_digest, $1::text AS by,
           false AS is_new
    FROM gone JOIN registry.manifests m ON m.id = gone.manifest_id
)
{outbox.ADD}
"""  # noqa: S608 constants only


async def delete(
    connection: Connection, repository: str, tag: str, *, by: str, reason: str = deletion.DELETED
) -> bool:
    """Delete a tag and nothing else; say whether it was there."""
    return await connection.execute(DELETE, by, reason, repository, tag) != "INSERT 0 0"
