"""Whether what was deleted can come back: what undeleting would meet, asked without writing."""

from __future__ import annotations

from contextlib import aclosing
from enum import StrEnum

from database.pool import Connection
from protocol.digest import Digest
from registry.metadata import kept, manifests
from registry.parsing import Parser


class State(StrEnum):
    """What became of something that was deleted."""

    DELETED = "deleted"  # it can be put back
    RETURNED = "returned"  # it is here, or its tag is
    RELEASED = "released"  # bytes that it needs are gone for good


async def state(
    connection: Connection,
    parser: Parser,
    repository: str,
    target: Digest,
    *,
    tag: str | None = None,
) -> State:
    """Return what became of a manifest, or of a tag that led to it; within a transaction."""
    if tag is not None:
        is_here = await manifests.find(connection, repository, tag, with_body=False) is not None
    else:
        is_here = bool(await kept.here(connection, repository, [target]))
    if is_here:
        return State.RETURNED
    return (
        State.DELETED if await _is_whole(connection, parser, repository, target) else State.RELEASED
    )


async def _is_whole(connection: Connection, parser: Parser, repository: str, root: Digest) -> bool:
    """Say whether all that a manifest needs is here or kept, however deep."""
    level = {root: True}  # and whether it has to be a manifest
    seen = set(level.items())
    blobs = set[Digest]()
    while level:
        here = await kept.here(connection, repository, level)
        wanted = {one: has_to for one, has_to in level.items() if one not in here}
        level = {}
        async with aclosing(kept.manifests(connection, repository, wanted)) as remembered:
            async for raw in remembered:
                del wanted[raw.digest]
                contents = await parser.read(raw)
                blobs.update(digest for digest, _ in contents.blobs)
                level |= {digest: False for digest, _ in contents.others}
                level |= {digest: True for digest, _ in contents.children}
        if any(wanted.values()):
            return False
        blobs.update(wanted)
        level = dict(level.items() - seen)
        seen.update(level.items())
    return blobs == await kept.blobs(connection, blobs)
