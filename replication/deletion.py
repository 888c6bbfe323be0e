"""Deleting at the destination what was deleted at the source, and nothing else.

Both sides are asked first: what is at the source again stays, and so does a tag that says something
else at the destination than what was deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from protocol.content import ContentSource, ContentStore
from protocol.digest import Digest
from protocol.errors import NotFound
from replication.errors import Side, failing


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """A tag, or an artifact with all its tags where `tag` is None, that is gone at the source."""

    source_repository: str
    destination_repository: str
    digest: Digest
    tag: str | None = None

    @property
    def reference(self) -> str:
        """What is to be deleted, as one asks for it."""
        return str(self.digest) if self.tag is None else self.tag

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; `tags` is for whoever reads transfers, too."""
        return {
            "source_repository": self.source_repository,
            "destination_repository": self.destination_repository,
            "digest": str(self.digest),
            "tags": [] if self.tag is None else [self.tag],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        tags = value["tags"]
        return cls(
            source_repository=value["source_repository"],
            destination_repository=value["destination_repository"],
            digest=Digest.parse(value["digest"]),
            tag=tags[0] if tags else None,
        )


class Fate(StrEnum):
    """What became of it."""

    DELETED = "deleted"
    GONE = "gone already"
    BACK = "kept: it is at the source again"
    OTHER = "kept: the destination has the tag with other content"


async def delete(
    deletion: Deletion,
    source: ContentSource,
    destination: ContentStore,
    *,
    before_commit: Callable[[], Awaitable[None]],
) -> Fate:
    """Delete, unless there is a reason not to; raise CopyFailed, and what `before_commit` raises.

    It may run twice: what is gone already is no failure.
    """
    reference = deletion.reference
    with failing(Side.SOURCE, "looking for", f"{deletion.source_repository} {reference}"):
        if await _digest(source, reference) is not None:
            return Fate.BACK
    named = f"{deletion.destination_repository} {reference}"
    with failing(Side.DESTINATION, "looking for", named):
        standing = await _digest(destination, reference)
    if standing is None:
        return Fate.GONE
    if standing != deletion.digest:
        return Fate.OTHER
    await before_commit()
    with failing(Side.DESTINATION, "deleting", named):
        try:
            if deletion.tag is None:
                await destination.delete_manifest(deletion.digest)
            else:
                await destination.delete_tag(deletion.tag)
        except NotFound:
            return Fate.GONE
    return Fate.DELETED


async def _digest(store: ContentSource, reference: str) -> Digest | None:
    try:
        return (await store.resolve(reference)).digest
    except NotFound:
        return None
