"""Rows of repositories, manifests and tags: when they were used, and how often pulled.

Locks are taken in the order of manifest_writes, each table's by key, so that merges of several
processes and pushes cannot deadlock. None of it is worth a wait for the disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from database.pool import Connection
from registry.events import Action
from registry.metadata import outbox
from registry.uses import EXACT_TO, Pull, Used

Key = TypeVar("Key", int, str)
QUICKLY = "SET LOCAL synchronous_commit = off"
# But where a review asks what happened since.
_IS_OLD = f"""
coalesce({{}}.last_used_at < now() - interval '{EXACT_TO.total_seconds()} seconds', true)
"""

REPOSITORIES = """
WITH locked AS MATERIALIZED (
    SELECT id FROM registry.repositories WHERE id = ANY($1::bigint[])
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE registry.repositories r SET pull_count = r.pull_count + pulled.pulls, pulled_at = now()
FROM locked, unnest($1::bigint[], $2::bigint[]) AS pulled (id, pulls)
WHERE r.id = locked.id AND pulled.id = r.id
"""
MANIFESTS = f"""
WITH RECURSIVE used (repository_id, id, pulls) AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
), above (repository_id, id) AS (
    SELECT repository_id, id FROM used
    UNION
    SELECT c.repository_id, c.parent_id FROM above
    JOIN registry.manifest_children c
      ON c.repository_id = above.repository_id AND c.child_id = above.id
), locked AS MATERIALIZED (
    SELECT m.id FROM registry.manifests m JOIN above ON above.id = m.id
    WHERE {_IS_OLD.format("m")} OR m.id IN (SELECT id FROM used WHERE pulls > 0) OR EXISTS (
        SELECT FROM registry.gc_queue q WHERE q.kind = 'm' AND q.repository_id = 0
        AND q.object_id = m.id AND q.queued_at >= m.last_used_at
    )
    ORDER BY m.id FOR NO KEY UPDATE OF m
)
UPDATE registry.manifests m
SET last_used_at = now(), pull_count = m.pull_count + coalesce(used.pulls, 0),
    pulled_at = CASE WHEN used.pulls > 0 THEN now() ELSE m.pulled_at END
FROM locked LEFT JOIN used ON used.id = locked.id
WHERE m.id = locked.id
"""  # noqa: S608 constants only
TAGS = f"""
WITH used (repository_id, name, pulls) AS (
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[])
), locked AS MATERIALIZED (
    SELECT t.repository_id, t.name, used.pulls FROM registry.tags t JOIN used
      ON used.repository_id = t.repository_id AND used.name = t.name
    WHERE {_IS_OLD.format("t")} OR used.pulls > 0
    ORDER BY t.repository_id, t.name FOR NO KEY UPDATE OF t
)
UPDATE registry.tags t
SET last_used_at = now(), pull_count = t.pull_count + locked.pulls,
    pulled_at = CASE WHEN locked.pulls > 0 THEN now() ELSE t.pulled_at END
FROM locked WHERE t.repository_id = locked.repository_id AND t.name = locked.name
"""  # noqa: S608 constants only


async def merge(connection: Connection, counts: Mapping[Used, int]) -> None:
    """Add uses to what is known, inside a transaction; the indexes above count as used, too."""
    repositories: Counter[int] = Counter()
    manifests: Counter[tuple[int, int]] = Counter()
    tags: Counter[tuple[int, str]] = Counter()
    for used, pulls in counts.items():
        repositories[used.repository_id] += pulls
        manifests[used.repository_id, used.manifest_id] += pulls
        if used.tag:
            tags[used.repository_id, used.tag] += pulls
    pulled = {one: pulls for one, pulls in repositories.items() if pulls}
    await connection.execute(QUICKLY)
    if pulled:
        await connection.execute(REPOSITORIES, list(pulled), list(pulled.values()))
    await connection.execute(MANIFESTS, *_columns(manifests))
    if tags:
        await connection.execute(TAGS, *_columns(tags))


def _columns(counts: Mapping[tuple[int, Key], int]) -> tuple[list[object], ...]:
    return (
        [first for first, _ in counts],
        [second for _, second in counts],
        list(counts.values()),
    )


TELL = f"""
WITH happened AS (
    SELECT '{Action.PULL}' AS action, m.repository_id, m.digest,
           array_remove(ARRAY[nullif(pull.tag, '')], NULL) AS tags, m.media_type, m.artifact_type,
           m.size_bytes, m.subject_digest, pull.by, false AS is_new
    FROM unnest($1::bigint[], $2::text[], $3::text[]) WITH ORDINALITY
        AS pull (manifest_id, tag, by, place)
    JOIN registry.manifests m ON m.id = pull.manifest_id
    JOIN registry.repositories owner ON owner.id = m.repository_id
    WHERE $4::bigint[] IS NULL OR owner.project_id = ANY($4::bigint[])
    ORDER BY pull.place
)
{outbox.ADD}
"""  # noqa: S608 constants only


async def tell(
    connection: Connection, pulls: Sequence[Pull], *, projects: Sequence[int] | None
) -> None:
    """Add the events of pulls from some projects; None stands for all."""
    await connection.execute(
        TELL,
        [pull.used.manifest_id for pull in pulls],
        [pull.used.tag for pull in pulls],
        [pull.by for pull in pulls],
        projects,
    )
