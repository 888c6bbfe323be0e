"""Rows of manifests that may be garbage: locked, then looked at, then deleted with their tags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from database.pool import Connection
from registry.events import Action
from registry.garbage import Facts
from registry.metadata import deletion, outbox

COMPANION_SUFFIXES: Final = "ARRAY['', '.sig', '.att', '.sbom']"

LOCK = """
SELECT id FROM registry.manifests WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED
"""


async def lock(connection: Connection, ids: Sequence[int]) -> frozenset[int]:
    """Lock those manifests that nobody else has; nothing can begin to refer to them."""
    return frozenset(row["id"] for row in await connection.fetch(LOCK, ids))


# A tag of cosign's or of the referrers' fallback counts while what it accompanies is here.
_END = f"'\\x{'ff' * 32}'::bytea"
_FACTS = f"""
SELECT m.id, m.lease_until, m.pushed_at, m.last_used_at, m.pulled_at,
       s.untagged_keep_days,
       EXISTS (SELECT FROM registry.tags t
               WHERE t.repository_id = m.repository_id AND t.manifest_id = m.id) AS has_tags,
       EXISTS (
           SELECT FROM registry.tags t CROSS JOIN registry.accompanied(t.name) AS subject
           WHERE t.repository_id = m.repository_id AND t.manifest_id = m.id
             AND (subject IS NULL OR EXISTS (
                 SELECT FROM registry.manifests of
                 WHERE of.repository_id = m.repository_id AND of.digest >= subject
                   AND of.digest <= subject || {_END} AND {{of_stays}}
             ))
       ) AS has_own_tags,
       EXISTS (SELECT FROM registry.manifest_children c
               WHERE c.repository_id = m.repository_id AND c.child_id = m.id
                 AND {{parent_stays}})
       OR EXISTS (SELECT FROM registry.manifests of
                  WHERE of.repository_id = m.repository_id AND of.digest = m.subject_digest
                    AND {{of_stays}})
           AS is_named,
       m.held OR EXISTS (SELECT FROM registry.pins p
                         WHERE p.manifest_id = m.id AND p.expires_at IS NULL) AS is_held,
       (SELECT max(p.expires_at) FROM registry.pins p WHERE p.manifest_id = m.id) AS pinned_until
FROM registry.manifests m JOIN registry.repositories r ON r.id = m.repository_id
LEFT JOIN registry.project_settings s ON s.project_id = r.project_id
WHERE m.id = ANY($1) ORDER BY m.id
"""  # noqa: S608 constants only

FACTS = _FACTS.format(of_stays="true", parent_stays="true")
# Of a forecast: as if what it found so far were gone.
_STAYS = "NOT EXISTS (SELECT FROM forecast_gone g WHERE g.id = {})"
FACTS_WITHOUT_GONE = _FACTS.format(
    of_stays=_STAYS.format("of.id"), parent_stays=_STAYS.format("c.parent_id")
)


async def facts(connection: Connection, ids: Sequence[int]) -> Sequence[Facts]:
    """Return what is to be known of manifests; those that are gone are left out."""
    return [Facts(**row) for row in await connection.fetch(FACTS, ids)]


async def facts_without_gone(connection: Connection, ids: Sequence[int]) -> Sequence[Facts]:
    """Return the same within a forecast."""
    return [Facts(**row) for row in await connection.fetch(FACTS_WITHOUT_GONE, ids)]


TAGS = """
SELECT t.manifest_id AS id, r.name AS repository, t.name FROM registry.manifests m
JOIN registry.repositories r ON r.id = m.repository_id
JOIN registry.tags t ON t.repository_id = m.repository_id AND t.manifest_id = m.id
WHERE m.id = ANY($1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """A manifest's row, and one of its tags."""

    id: int
    repository: str
    name: str


async def tags(connection: Connection, ids: Sequence[int]) -> Sequence[Tagged]:
    """Return all tags of manifests."""
    return [Tagged(**row) for row in await connection.fetch(TAGS, ids)]


EXPIRED_PINS = "DELETE FROM registry.pins WHERE manifest_id = ANY($1) AND expires_at <= now()"
# The index on tags begins with the repository: without it, all tags of all repositories are read.
DELETE_TAGS = f"""
{deletion.BY}
DELETE FROM registry.tags t USING said, registry.manifests m
WHERE m.id = ANY($3) AND t.repository_id = m.repository_id AND t.manifest_id = m.id
RETURNING t.manifest_id, t.name
"""  # noqa: S608 constants only
DELETE = f"""
{deletion.BY}, gone AS (
    DELETE FROM registry.manifests USING said WHERE id = ANY($3) RETURNING manifests.*
), happened AS (
    SELECT '{Action.DELETE}' AS action, gone.repository_id, gone.digest,
           ARRAY(SELECT t.name FROM unnest($4::bigint[], $5::text[]) AS t (id, name)
                 WHERE t.id = gone.id ORDER BY t.name) AS tags,
           gone.media_type, gone.artifact_type, gone.size_bytes, gone.subject_digest, $1 AS by,
           false AS is_new
    FROM gone
)
{outbox.ADD}
"""  # noqa: S608 constants only


async def delete(connection: Connection, ids: Sequence[int], *, by: str, reason: str) -> int:
    """Delete locked manifests, their tags and what is left of pins; tell of it.

    Raise pool.REFERENCE_VIOLATIONS where something refers to one all the same.
    """
    await connection.execute(EXPIRED_PINS, ids)
    tags = await connection.fetch(DELETE_TAGS, by, reason, ids)
    tag = await connection.execute(
        DELETE, by, reason, ids, [row["manifest_id"] for row in tags], [row["name"] for row in tags]
    )
    return int(tag.rpartition(" ")[2])
