"""Files and folders as the filesystem driver needs them; all of it may wait for the disk."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from registry.storage.driver import ListedObject, ListedPartial


def objects(root: Path, *, after: UUID | None, limit: int) -> Sequence[ListedObject]:
    """Return the objects that follow `after`, folder by folder, each sorted."""
    start = after.hex if after else ""
    found: list[ListedObject] = []
    for shard in sorted(entry.name for entry in os.scandir(root)):
        if shard < start[:2]:
            continue
        names = sorted(entry.name for entry in os.scandir(root / shard) if entry.name > start)
        for key, facts in _known(root / shard, names):
            found.append(
                ListedObject(key=key, size_bytes=facts.st_size, written_at=_time(facts.st_mtime))
            )
            if len(found) == limit:
                return found
    return found


def partials(root: Path, *, after: str, limit: int) -> Sequence[ListedPartial]:
    """Return up to `limit` partial files whose names follow `after`; fewer only at the end."""
    names = sorted(entry.name for entry in os.scandir(root) if entry.name > after)
    return [
        ListedPartial(name=name, handle=name.hex, touched_at=_time(facts.st_mtime))
        for name, facts in itertools.islice(_known(root, names), limit)
    ]


def _known(folder: Path, names: Sequence[str]) -> Iterator[tuple[UUID, os.stat_result]]:
    """Yield those that are named as we name files; one that vanishes meanwhile is left out."""
    for name in names:
        try:
            key = UUID(hex=name)
            facts = (folder / name).stat()
        except (ValueError, FileNotFoundError):
            continue
        if key.hex == name:
            yield key, facts


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def chunks(
    read: Callable[[int], bytes], at_most_bytes: Callable[[], int], length_bytes: int | None
) -> AsyncGenerator[bytes, None]:
    """Yield what `read` gives, to its end or for a length; the next is read while one is used.

    Close it before what it reads from: a thread may still be reading.
    """

    def next_read(left: int | None) -> asyncio.Future[bytes]:
        wanted = at_most_bytes() if left is None else min(at_most_bytes(), left)
        return asyncio.get_running_loop().run_in_executor(None, read, wanted)

    left = length_bytes
    reading = next_read(left)
    try:
        while chunk := await asyncio.shield(reading):
            left = None if left is None else left - len(chunk)
            reading = next_read(left)
            yield chunk
    finally:
        await asyncio.wait([reading])
        reading.exception()  # nobody wants it any more


def try_unlink(path: Path) -> str:
    """Remove a file, which may be gone; return what is in the way, empty if it is not there now."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        return str(error)
    return ""


def unlink(paths: Sequence[Path]) -> None:
    """Remove files; nothing happens to those that are gone."""
    for path in paths:
        path.unlink(missing_ok=True)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
