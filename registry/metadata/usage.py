"""How much room each repository and project takes, added up in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one repository or project takes, in bytes, manifests included.

    `logical_bytes`: every manifest with all it names, as if nothing were shared. `stored_bytes`:
    each blob once. `exclusive_bytes`: what nobody else has, and would be free without it.
    """

    name: str
    repositories: int
    manifests: int
    tags: int
    logical_bytes: int
    stored_bytes: int
    exclusive_bytes: int


# A blob that one repository alone has is exclusive to it, one that one project alone has to that.
_PARTS = """
WITH links AS MATERIALIZED (
    SELECT r.id AS repository_id, r.project_id, b.id AS blob_id, b.size_bytes
    FROM registry.repository_blobs l JOIN registry.blobs b ON b.id = l.blob_id
    JOIN registry.repositories r ON r.id = l.repository_id
), owned AS (
    SELECT {owner} AS owner, blob_id, min(size_bytes) AS size_bytes FROM links GROUP BY 1, 2
), shared AS (
    SELECT blob_id, count(*) AS owners FROM owned GROUP BY blob_id
), stored AS (
    SELECT owner, sum(size_bytes) AS stored,
           sum(size_bytes) FILTER (WHERE owners = 1) AS exclusive
    FROM owned JOIN shared USING (blob_id) GROUP BY owner
), named AS (
    SELECT {owner} AS owner, sum(links.size_bytes) AS named
    FROM registry.manifest_blobs m JOIN links USING (repository_id, blob_id) GROUP BY 1
), manifests AS (
    SELECT {owner} AS owner, count(*) AS manifests, sum(m.size_bytes) AS payload
    FROM registry.manifests m
    JOIN (SELECT id AS repository_id, project_id FROM registry.repositories) AS r
        USING (repository_id) GROUP BY 1
), tags AS (
    SELECT {owner} AS owner, count(*) AS tags
    FROM registry.tags t
    JOIN (SELECT id AS repository_id, project_id FROM registry.repositories) AS r
        USING (repository_id) GROUP BY 1
), counted AS (
    SELECT {owner} AS owner, count(*) AS repositories
    FROM (SELECT id AS repository_id, project_id FROM registry.repositories) AS r GROUP BY 1
)
SELECT o.name, coalesce(repositories, 0) AS repositories, coalesce(manifests, 0) AS manifests,
       coalesce(tags, 0) AS tags,
       (coalesce(named, 0) + coalesce(payload, 0))::bigint AS logical_bytes,
       (coalesce(stored, 0) + coalesce(payload, 0))::bigint AS stored_bytes,
       (coalesce(exclusive, 0) + coalesce(payload, 0))::bigint AS exclusive_bytes
FROM {owners} o
LEFT JOIN stored ON stored.owner = o.id LEFT JOIN named ON named.owner = o.id
LEFT JOIN manifests ON manifests.owner = o.id LEFT JOIN tags ON tags.owner = o.id
LEFT JOIN counted ON counted.owner = o.id
ORDER BY stored_bytes DESC, o.name
"""
BY_REPOSITORY = _PARTS.format(owner="repository_id", owners="registry.repositories")
BY_PROJECT = _PARTS.format(owner="project_id", owners="access.projects")


async def by_repository(connection: Connection) -> Sequence[Usage]:
    """Return what each repository takes, the largest first."""
    return [Usage(**row) for row in await connection.fetch(BY_REPOSITORY)]


async def by_project(connection: Connection) -> Sequence[Usage]:
    """Return what each project takes, the largest first."""
    return [Usage(**row) for row in await connection.fetch(BY_PROJECT)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """What everything takes, in bytes: `blob_bytes` of these `unneeded_bytes` are in no manifest.

    `removal_bytes` wait to be removed, of which `kept_bytes` can still be put back; `upload_bytes`
    are on their way in.
    """

    blobs: int
    blob_bytes: int
    unneeded_bytes: int
    lost_bytes: int
    manifest_bytes: int
    upload_bytes: int
    removal_bytes: int
    kept_bytes: int


TOTAL = """
SELECT count(*) AS blobs, coalesce(sum(size_bytes), 0)::bigint AS blob_bytes,
    coalesce(sum(size_bytes) FILTER (WHERE NOT EXISTS (
        SELECT FROM registry.repository_blobs l
        JOIN registry.manifest_blobs m USING (repository_id, blob_id) WHERE l.blob_id = b.id
    )), 0)::bigint AS unneeded_bytes,
    coalesce(sum(size_bytes) FILTER (WHERE lost_at IS NOT NULL), 0)::bigint AS lost_bytes,
    (SELECT coalesce(sum(size_bytes), 0) FROM registry.manifests)::bigint AS manifest_bytes,
    (SELECT coalesce(sum(offset_bytes), 0) FROM registry.uploads)::bigint AS upload_bytes,
    (SELECT coalesce(sum(size_bytes), 0) FROM registry.tombstones)::bigint AS removal_bytes,
    (SELECT coalesce(sum(size_bytes), 0) FROM registry.tombstones
     WHERE released_at IS NULL AND delete_after > now())::bigint AS kept_bytes
FROM registry.blobs b
"""


async def total(connection: Connection) -> Total:
    """Return what everything takes."""
    row = await connection.fetchrow(TOTAL)
    assert row is not None  # noqa: S101  an aggregate always has a row
    return Total(**row)
