"""A repository as retention decides about it: its artifacts with their tags, page by page.

All pages of a repository are of one moment. What is read of annotations is what rules ask for.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Final

from database.pool import Connection, Database
from protocol import media_types
from registry import immutability
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules
from registry.retention import expiry, trial
from registry.retention.artifact import Artifact, Tag

ARTIFACTS: Final = 256
TAGS_EACH: Final = 128
MORE_TAGS: Final = 5000
ANNOTATIONS: Final = (expiry.AT, *expiry.AFTER, trial.CREATED)
_ANNOTATION_LENGTH: Final = 100
_INDEXES: Final = ", ".join(f"'{one}'" for one in sorted(media_types.INDEXES))
_WEIGHT: Final = """{0}.size_bytes + coalesce((
    SELECT sum(b.size_bytes) FROM registry.manifest_blobs e
    JOIN registry.blobs b ON b.id = e.blob_id WHERE e.manifest_id = {0}.id
), 0)"""

# An index weighs what it names, too. Where a manifest has more tags than one page takes, as many as
# say that it has more.
PAGE: Final = f"""
SELECT m.id, registry.digest_text(m.digest) AS digest, m.media_type, m.pushed_at, m.pulled_at,
       m.last_used_at AS used_at, m.artifact_type, m.config_media_type,
       registry.digest_text(m.subject_digest) AS subject,
       CASE WHEN m.annotations <> '{{}}' THEN ARRAY(
           SELECT left(m.annotations ->> key, {_ANNOTATION_LENGTH})
           FROM unnest($5::text[]) WITH ORDINALITY AS wanted (key, place) ORDER BY place
       ) END AS annotations,
       ({_WEIGHT.format("m")} + CASE WHEN m.media_type IN ({_INDEXES}) THEN coalesce((
           SELECT sum({_WEIGHT.format("child")}) FROM registry.manifest_children c
           JOIN registry.manifests child ON child.id = c.child_id WHERE c.parent_id = m.id
       ), 0) ELSE 0 END)::bigint AS size_bytes,
       ARRAY(SELECT c.parent_id FROM registry.manifest_children c
             WHERE c.repository_id = m.repository_id AND c.child_id = m.id) AS parents,
       CASE WHEN m.held THEN 'held' ELSE (
           SELECT 'pinned by ' || min(p.owner) FROM registry.pins p
           WHERE p.manifest_id = m.id AND coalesce(p.expires_at > now(), true)
       ) END AS held,
       t.*
FROM registry.manifests m CROSS JOIN LATERAL (
    SELECT array_agg(one.name::text) AS names, array_agg(one.pushed_at) AS tags_pushed_at,
           array_agg(one.pulled_at) AS tags_pulled_at, array_agg(one.last_used_at) AS tags_used_at
    FROM (
        SELECT * FROM registry.tags
        WHERE repository_id = m.repository_id AND manifest_id = m.id ORDER BY name LIMIT $4
    ) AS one
) AS t
WHERE m.repository_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3
"""  # noqa: S608 constants only
TAGS: Final = """
SELECT array_agg(one.name::text) AS names, array_agg(one.pushed_at) AS tags_pushed_at,
       array_agg(one.pulled_at) AS tags_pulled_at, array_agg(one.last_used_at) AS tags_used_at
FROM (
    SELECT * FROM registry.tags
    WHERE repository_id = $1 AND manifest_id = $2 AND name > $3 ORDER BY name LIMIT $4
) AS one
"""


async def pages(database: Database, repository: str) -> AsyncGenerator[Sequence[Artifact], None]:
    """Yield a repository's artifacts in the order of their ids, nothing if it is not there.

    One with many tags comes in pieces that follow one another.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        bound = await immutable_rules.binding(connection, repository)
        if bound is None:
            return
        reading = _Reading(connection, bound.repository_id, repository, bound.rules)
        async for page in reading.pages():
            yield page


class _Reading:
    """One repository, inside a transaction."""

    def __init__(
        self,
        connection: Connection,
        repository_id: int,
        repository: str,
        rules: Sequence[ImmutableRule],
    ) -> None:
        self._connection = connection
        self._repository_id = repository_id
        self._repository = repository
        self._rules = rules

    async def pages(self) -> AsyncIterator[Sequence[Artifact]]:
        after = 0
        while True:
            rows = await self._connection.fetch(
                PAGE, self._repository_id, after, ARTIFACTS, TAGS_EACH + 1, ANNOTATIONS
            )
            page: list[Artifact] = []
            for row in rows:
                page.append(_artifact(row, self._tags(row)))
                if len(page[-1].tags) > TAGS_EACH:
                    yield page
                    page = []
                    async for tags in self._more(row["id"], after=row["names"][-1]):
                        yield [_artifact(row, tags)]
            yield page
            if len(rows) < ARTIFACTS:
                return
            after = rows[-1]["id"]

    async def _more(self, manifest_id: int, *, after: str) -> AsyncIterator[Sequence[Tag]]:
        """Yield the tags of one manifest that come after one of them."""
        while True:
            (row,) = await self._connection.fetch(
                TAGS, self._repository_id, manifest_id, after, MORE_TAGS
            )
            tags = self._tags(row)
            if tags:
                yield tags
            if len(tags) < MORE_TAGS:
                return
            after = tags[-1].name

    def _tags(self, row: Mapping[str, Any]) -> Sequence[Tag]:
        names: Sequence[str] = row["names"] or ()
        if not names:
            return ()
        immutable = immutability.taken(self._rules, self._repository, names) if self._rules else {}
        times = (row["tags_pushed_at"], row["tags_pulled_at"], row["tags_used_at"])
        return [
            Tag(
                name=name,
                pushed_at=pushed_at,
                pulled_at=pulled_at,
                used_at=used_at,
                immutable=f"rule {immutable[name].id}" if name in immutable else "",
            )
            for name, pushed_at, pulled_at, used_at in zip(names, *times, strict=True)
        ]


def _artifact(row: Mapping[str, Any], tags: Sequence[Tag]) -> Artifact:
    said = row["annotations"]
    return Artifact(
        id=row["id"],
        digest=row["digest"],
        pushed_at=row["pushed_at"],
        media_type=row["media_type"],
        tags=tags,
        pulled_at=row["pulled_at"],
        used_at=row["used_at"],
        size_bytes=row["size_bytes"],
        artifact_type=row["artifact_type"],
        config_media_type=row["config_media_type"],
        annotations=_said(said) if said else {},
        parents=row["parents"],
        subject=row["subject"],
        held=row["held"] or "",
    )


def _said(annotations: Sequence[str | None]) -> Mapping[str, str]:
    said = zip(ANNOTATIONS, annotations, strict=True)
    return {name: value for name, value in said if value is not None}
