"""A repository as retention decides about it: its artifacts with their tags, page by page.

All pages of a repository are of one moment. What is read of annotations is what rules ask for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from database.pool import Connection, Database, Record
from protocol import media_types
from registry import immutability
from registry.immutability import ImmutableRule
from registry.metadata import digests, immutable_rules, retention_details
from registry.retention import expiry
from registry.retention.artifact import NOTHING_SAID, Artifact, Tag
from registry.retention.rule_set import RuleSet

ARTIFACTS: Final = 256
TAGS_EACH: Final = 128
MORE_TAGS: Final = 5000
NOTHING: Final = RuleSet()
ANNOTATIONS: Final = (expiry.AT, *expiry.AFTER, expiry.CREATED)
_ANNOTATION_LENGTH: Final = 100
_INDEXES: Final = ", ".join(f"'{one}'" for one in sorted(media_types.INDEXES))
_WEIGHT: Final = """{0}.size_bytes + coalesce((
    SELECT sum(b.size_bytes) FROM registry.manifest_blobs e
    JOIN registry.blobs b ON b.id = e.blob_id WHERE e.manifest_id = {0}.id
), 0)"""

# An index weighs what it names, too. Where a manifest has more tags than one page takes, as many as
# say that it has more.
PAGE: Final = f"""
SELECT m.id, m.digest, m.pushed_at, m.media_type, m.pulled_at, m.last_used_at, m.artifact_type,
       m.config_media_type, m.subject_digest,
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


async def pages(
    database: Database, repository: str, asked: RuleSet = NOTHING
) -> AsyncGenerator[Sequence[Artifact], None]:
    """Yield a repository's artifacts in the order of their ids, nothing if it is not there.

    One with many tags comes in pieces that follow one another. What costs something is looked up
    only where rules ask for it.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        bound = await immutable_rules.binding(connection, repository)
        if bound is None:
            return
        rules = immutability.in_force(bound.rules, repository)
        reading = _Reading(connection, bound.repository_id, rules)
        async with aclosing(reading.pages()) as found:
            async for page in found:
                yield await retention_details.add(reading.fetch, page, asked)


class _Reading:
    """One repository, inside a transaction."""

    def __init__(
        self, connection: Connection, repository_id: int, rules: Sequence[ImmutableRule]
    ) -> None:
        self._connection = connection
        self._repository_id = repository_id
        self._rules = rules
        self._turn = asyncio.Lock()

    async def pages(self) -> AsyncGenerator[Sequence[Artifact], None]:
        async with aclosing(self._row_pages()) as found:
            async for rows in found:
                page: list[Artifact] = []
                for row in rows:
                    page.append(_artifact(row, self._tags(row)))
                    if len(page[-1].tags) > TAGS_EACH:
                        yield page
                        page = []
                        async for tags in self._more(row["id"], after=row["names"][-1]):
                            yield [_artifact(row, tags)]
                yield page

    async def _row_pages(self) -> AsyncGenerator[Sequence[Record], None]:
        """Yield pages of rows; while one is dealt with, Postgres looks for the next."""
        rows = await self._rows(after=0)
        while len(rows) == ARTIFACTS:
            following = asyncio.create_task(self._rows(after=rows[-1]["id"]))
            try:
                await asyncio.sleep(0)  # a task asks when it is its turn
                yield rows
                rows = await following
            finally:
                following.cancel()
                await asyncio.wait({following})
        yield rows

    async def _rows(self, *, after: int) -> Sequence[Record]:
        return await self.fetch(PAGE, after, ARTIFACTS, TAGS_EACH + 1, ANNOTATIONS)

    async def _more(self, manifest_id: int, *, after: str) -> AsyncIterator[Sequence[Tag]]:
        """Yield the tags of one manifest that come after one of them."""
        while True:
            (row,) = await self.fetch(TAGS, manifest_id, after, MORE_TAGS)
            tags = self._tags(row)
            if tags:
                yield tags
            if len(tags) < MORE_TAGS:
                return
            after = tags[-1].name

    async def fetch(self, query: str, *arguments: object) -> Sequence[Record]:
        """Return rows about the repository; a connection answers one question after the other."""
        async with self._turn:
            return await self._connection.fetch(query, self._repository_id, *arguments)

    def _tags(self, row: Record) -> Sequence[Tag]:
        names: Sequence[str] = row["names"] or ()
        if not names:
            return ()
        columns = (row["tags_pushed_at"], row["tags_pulled_at"], row["tags_used_at"])
        if not self._rules:
            return list(map(Tag, names, *columns))
        return list(map(Tag, names, *columns, map(self._immutable, names)))

    def _immutable(self, tag: str) -> str:
        """Return which rule forbids to delete a tag; empty if none does."""
        return next((f"rule {rule.id}" for rule in self._rules if rule.takes(tag)), "")


def _artifact(row: Record, tags: Sequence[Tag]) -> Artifact:
    (
        id_,
        digest,
        pushed_at,
        media_type,
        pulled_at,
        used_at,
        artifact_type,
        config_media_type,
        subject,
        said,
        size_bytes,
        parents,
        held,
        *_,
    ) = row.values()
    return Artifact(
        id=id_,
        digest=digests.text(digest),
        pushed_at=pushed_at,
        media_type=media_type,
        tags=tags,
        pulled_at=pulled_at,
        used_at=used_at,
        size_bytes=size_bytes,
        artifact_type=artifact_type,
        config_media_type=config_media_type,
        annotations=_said(said) if said else NOTHING_SAID,
        parents=parents,
        subject=None if subject is None else digests.text(subject),
        held=held or "",
    )


def _said(annotations: Sequence[str | None]) -> Mapping[str, str]:
    said = zip(ANNOTATIONS, annotations, strict=True)
    return {name: value for name, value in said if value is not None}
