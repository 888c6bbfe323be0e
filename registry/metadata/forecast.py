"""What would go if all that waits for a review were reviewed: in tables of one transaction's own.

Rounds, because what goes takes its children and companions along; each round asks the same as a
review does, of a repository without what went before. Nothing is locked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from database.pool import Connection
from protocol.digest import Digest
from registry.metadata import digests
from registry.metadata.collection_manifests import COMPANION_SUFFIXES

PAGE: Final = 1000
# For a statement about all the garbage there is, however much.
STATEMENT_SECONDS: Final = 3600.0

BEGIN = """
CREATE TEMPORARY TABLE forecast_gone (id bigint PRIMARY KEY, reason text NOT NULL,
    round integer NOT NULL) ON COMMIT DROP;
CREATE TEMPORARY TABLE forecast_looks (id bigint NOT NULL, reason text NOT NULL,
    queued_at timestamptz NOT NULL, round integer NOT NULL, PRIMARY KEY (round, id)) ON COMMIT DROP;
CREATE TEMPORARY TABLE forecast_links (repository_id bigint NOT NULL, blob_id bigint NOT NULL,
    PRIMARY KEY (repository_id, blob_id)) ON COMMIT DROP;
CREATE TEMPORARY TABLE forecast_blobs (id bigint PRIMARY KEY) ON COMMIT DROP;
INSERT INTO forecast_looks
SELECT object_id, reason, queued_at, 0 FROM registry.gc_queue WHERE kind = 'm'
"""
UNTAGGED = """
INSERT INTO forecast_looks
SELECT m.id, 'delete_untagged', now(), 0 FROM registry.manifests m
WHERE NOT EXISTS (SELECT FROM registry.tags t
                  WHERE t.repository_id = m.repository_id AND t.manifest_id = m.id)
ON CONFLICT DO NOTHING
"""


async def begin(connection: Connection, *, delete_untagged: bool) -> None:
    """Note everything that is queued, inside a transaction; what is untagged if that is to go."""
    await connection.execute(BEGIN, timeout=STATEMENT_SECONDS)
    if delete_untagged:
        await connection.execute(UNTAGGED, timeout=STATEMENT_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A manifest to be looked at, why, and since when."""

    id: int
    reason: str
    queued_at: datetime


LOOKS = """
SELECT id, reason, queued_at FROM forecast_looks l
WHERE round = $1 AND id > $2 AND NOT EXISTS (SELECT FROM forecast_gone g WHERE g.id = l.id)
ORDER BY id LIMIT $3
"""


async def looks(connection: Connection, round_: int, *, after: int) -> Sequence[Waiting]:
    """Return the next of a round by id."""
    return [Waiting(**row) for row in await connection.fetch(LOOKS, round_, after, PAGE)]


GOES = """
INSERT INTO forecast_gone
SELECT id, reason, $3 FROM unnest($1::bigint[], $2::text[]) AS going (id, reason)
"""


async def note(connection: Connection, round_: int, going: Sequence[tuple[int, str]]) -> None:
    """Note what goes in a round, and why."""
    await connection.execute(
        GOES, [id_ for id_, _ in going], [reason for _, reason in going], round_
    )


FOLLOWING = f"""
WITH gone AS (
    SELECT m.id, m.repository_id, m.digest FROM forecast_gone g
    JOIN registry.manifests m ON m.id = g.id WHERE g.round = $1
)
INSERT INTO forecast_looks
SELECT DISTINCT ON (id) id, reason, now(), $1 + 1 FROM (
    SELECT c.child_id AS id, 'parent_deleted' AS reason
    FROM gone JOIN registry.manifest_children c
      ON c.repository_id = gone.repository_id AND c.parent_id = gone.id
    WHERE c.child_id IS NOT NULL
    UNION ALL
    SELECT m.id, 'subject_deleted' FROM gone JOIN registry.manifests m
      ON m.repository_id = gone.repository_id AND m.subject_digest = gone.digest
    UNION ALL
    SELECT t.manifest_id, 'subject_deleted'
    FROM gone CROSS JOIN unnest({COMPANION_SUFFIXES}) AS suffix
    JOIN registry.tags t ON t.repository_id = gone.repository_id
     AND t.name = registry.companion_tag(gone.digest) || suffix
) AS left_behind ORDER BY id, reason
"""  # noqa: S608 constants only


async def follow(connection: Connection, round_: int) -> bool:
    """Look next at what the manifests of a round leave behind; say whether there is any."""
    tag = await connection.execute(FOLLOWING, round_, timeout=STATEMENT_SECONDS)
    return tag != "INSERT 0 0"


LINKS = """
INSERT INTO forecast_links
SELECT l.repository_id, l.blob_id FROM (
    SELECT repository_id, object_id AS blob_id FROM registry.gc_queue WHERE kind = 'l'
    UNION
    SELECT e.repository_id, e.blob_id FROM forecast_gone g
    JOIN registry.manifest_blobs e ON e.manifest_id = g.id
) AS candidate JOIN registry.repository_blobs l USING (repository_id, blob_id)
WHERE l.lease_until <= now() AND NOT EXISTS (
    SELECT FROM registry.manifest_blobs e
    WHERE e.repository_id = l.repository_id AND e.blob_id = l.blob_id
      AND NOT EXISTS (SELECT FROM forecast_gone g WHERE g.id = e.manifest_id)
)
"""
BLOBS = """
INSERT INTO forecast_blobs
SELECT candidate.id FROM (
    SELECT object_id AS id FROM registry.gc_queue WHERE kind = 'b'
    UNION SELECT blob_id FROM forecast_links
) AS candidate
WHERE NOT EXISTS (
    SELECT FROM registry.repository_blobs l
    WHERE l.blob_id = candidate.id AND NOT EXISTS (
        SELECT FROM forecast_links g
        WHERE g.repository_id = l.repository_id AND g.blob_id = l.blob_id
    )
)
"""


async def find_blobs(connection: Connection) -> None:
    """Note the links and blobs that nothing needs once the manifests are gone."""
    await connection.execute("ANALYZE forecast_gone")
    await connection.execute(LINKS, timeout=STATEMENT_SECONDS)
    await connection.execute("ANALYZE forecast_links")
    await connection.execute(BLOBS, timeout=STATEMENT_SECONDS)
    await connection.execute("ANALYZE forecast_blobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that would go.

    `kind` is manifest or blob. A blob names one repository that has it, empty for none, and no
    tags; its `bytes` are freed when its window is over, a manifest's are the database's.
    """

    kind: str
    repository: str
    digest: Digest
    tags: Sequence[str]
    bytes: int
    reason: str


# By name of the repository, each once; a digest with very many tags is shown with some.
CANDIDATES = """
SELECT 'manifest' AS kind, r.name AS repository, m.digest, m.size_bytes AS bytes, g.reason,
       ARRAY(SELECT t.name::text FROM registry.tags t
             WHERE t.repository_id = m.repository_id AND t.manifest_id = m.id
             ORDER BY t.name LIMIT 10) AS tags
FROM forecast_gone g JOIN registry.manifests m ON m.id = g.id
JOIN registry.repositories r ON r.id = m.repository_id
UNION ALL
SELECT 'blob', coalesce((SELECT r.name FROM registry.repository_blobs l
                         JOIN registry.repositories r ON r.id = l.repository_id
                         WHERE l.blob_id = b.id ORDER BY r.name LIMIT 1), ''),
       b.digest, b.size_bytes, 'unreferenced', '{}'
FROM forecast_blobs f JOIN registry.blobs b ON b.id = f.id
ORDER BY 2, 1 DESC, 3
"""


async def candidates(connection: Connection) -> AsyncIterator[Candidate]:
    """Yield everything that was noted, repository by repository."""
    async for row in connection.cursor(CANDIDATES, prefetch=PAGE, timeout=STATEMENT_SECONDS):
        yield Candidate(**{**row, "digest": digests.decode(row["digest"])})
