"""A storage with little room, strict about its contract, that can also die between two steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from typing_extensions import override

from protocol.digest import Digest
from registry.errors import StorageFull
from registry.storage.filesystem import FilesystemPartial, FilesystemStorage


class Died(BaseException):
    """The process is gone: nobody handles this."""


@dataclass
class Room:
    """What is left of it, and whether `publish` is the last thing that happens."""

    left_bytes: int
    dies_after_publish: bool = False


class SmallStorage(FilesystemStorage):
    """Files in a folder, as long as there is room."""

    def __init__(self, root: Path, room: Room) -> None:
        super().__init__(root)
        self.space = room

    @override
    async def open_partial(self, upload: UUID) -> FilesystemPartial:
        return _SmallPartial(await super().open_partial(upload), self.space)


class _SmallPartial(FilesystemPartial):
    def __init__(self, inner: FilesystemPartial, room: Room) -> None:
        self._inner = inner
        self._room = room
        self._closed = False

    @override
    async def resume(self, key: UUID, *, offset_bytes: int, state: bytes | None) -> None:
        await self._inner.resume(key, offset_bytes=offset_bytes, state=state)

    @override
    async def write(
        self, chunks: Sequence[bytes], *, offset_bytes: int, alongside: Callable[[bytes], object]
    ) -> None:
        assert not self._closed
        wanted = sum(map(len, chunks))
        if wanted > self._room.left_bytes:
            raise StorageFull("storage full: No space left on device")
        self._room.left_bytes -= wanted
        await self._inner.write(chunks, offset_bytes=offset_bytes, alongside=alongside)

    @override
    async def settle(self) -> None:
        await self._inner.settle()

    @override
    async def sync(self) -> None:
        await self._inner.sync()

    @override
    async def publish(self, size_bytes: int, digest: Digest | None) -> None:
        assert not self._closed
        await self._inner.publish(size_bytes, digest)
        if self._room.dies_after_publish:
            raise Died

    @override
    async def discard(self) -> None:
        await self._inner.discard()

    @override
    async def close(self) -> None:
        assert not self._closed
        self._closed = True
        await self._inner.close()
