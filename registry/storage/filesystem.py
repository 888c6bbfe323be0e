"""Objects as files: `objects/<2 hex>/<key>`, and `partial/<upload>` while they are written.

A partial file is locked with flock by whoever writes to it, so a dead process lets go at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from protocol.digest import Algorithm, Digest
from registry.errors import (
    ObjectMissing,
    PartialLost,
    StorageBusy,
    StorageFull,
    StorageUnavailable,
)
from registry.storage import files, threads
from registry.storage.driver import ListedObject, ListedPartial, LocalFile, Room, Undeleted
from registry.stored_object import StoredObject

READ_BYTES: Final = 1024 * 1024
ALL_READERS_BYTES: Final = 32 * 1024 * 1024  # a piece of each of them; slow clients hold three
_INLINE_BYTES: Final = 256 * 1024  # less than a thread hop costs, into the page cache
_VECTOR_LIMIT: Final = 512
_SYNC_BYTES: Final = 32 * 1024 * 1024  # the disk begins while the rest still arrives
_SHARDS: Final = 256
_PAGE: Final = 1000
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FilesystemStorage:
    """A folder, on this machine or a shared mount with atomic rename and flock."""

    locks = True
    provider = "filesystem"

    def __init__(self, root: Path) -> None:
        """Create the folders; do so once, at start."""
        self._readers = 0
        self._objects = root / "objects"
        self._partial = root / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._objects.mkdir(exist_ok=True)
        for shard in range(_SHARDS):
            (self._objects / f"{shard:02x}").mkdir(exist_ok=True)
        for folder in (self._objects, root):
            files.fsync_folder(folder)

    async def check(self) -> None:
        """Look whether the folder is there."""
        if not await asyncio.to_thread(self._objects.is_dir):
            raise StorageUnavailable("the folder of the storage is not there")

    async def room(self) -> Room | None:
        """Return what an ordinary user may still write, and what the file system holds."""
        facts = await asyncio.to_thread(os.statvfs, self._objects)
        return Room(
            free_bytes=facts.f_bavail * facts.f_frsize,
            total_bytes=facts.f_blocks * facts.f_frsize,
        )

    async def open_partial(self, upload: UUID) -> FilesystemPartial:
        """Hold the partial file of an upload."""
        path = self._partial / upload.hex
        with _room():
            descriptor = _open_locked(path)
        return FilesystemPartial(descriptor, path, self.path)

    @contextlib.asynccontextmanager
    async def read(
        self, stored: StoredObject, *, offset_bytes: int = 0, length_bytes: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an object at an offset."""
        with self._existing(stored):
            file = self.path(stored.key).open("rb", buffering=0)
        self._readers += 1
        try:
            file.seek(offset_bytes)
            async with contextlib.aclosing(
                files.chunks(file.read, self._piece_bytes, length_bytes)
            ) as chunks:
                yield chunks
        finally:
            self._readers -= 1
            file.close()

    def _piece_bytes(self) -> int:
        """Return how much to read at once: less where there are many readers."""
        return max(1, min(READ_BYTES, ALL_READERS_BYTES // self._readers))

    def path(self, key: UUID) -> Path:
        """Return where an object lies."""
        return self._objects / key.hex[:2] / key.hex

    async def sending(self, stored: StoredObject) -> LocalFile:
        """Return the file to send from."""
        path = self.path(stored.key)
        if not path.is_file():
            raise self._missing(stored)
        return LocalFile(path=path)

    async def size_bytes(self, stored: StoredObject) -> int:
        """Ask the file system."""
        with self._existing(stored):
            facts = await asyncio.to_thread(self.path(stored.key).stat)
        return facts.st_size

    @contextlib.contextmanager
    def _existing(self, stored: StoredObject) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise self._missing(stored) from None

    def _missing(self, stored: StoredObject) -> ObjectMissing:
        return ObjectMissing(f"object {stored.key} is not in {self._objects}")

    async def objects(self, *, after: UUID | None, limit: int) -> Sequence[ListedObject]:
        """List the folders in order, in a thread."""
        return await asyncio.to_thread(files.objects, self._objects, after=after, limit=limit)

    async def delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        """Remove the files, in one thread."""
        return await asyncio.to_thread(self._delete, objects)

    def _delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        tried = [(stored, files.try_unlink(self.path(stored.key))) for stored in objects]
        return [Undeleted(stored=stored, words=words) for stored, words in tried if words]

    async def discard_partial(self, upload: UUID, key: UUID, state: bytes | None) -> None:
        """Remove the file; it is named by its upload alone."""
        del key, state
        await asyncio.to_thread(files.unlink, [self._partial / upload.hex])

    async def partials(self) -> AsyncIterator[Sequence[ListedPartial]]:
        """Yield the partial files: those of uploads under way, and what crashes left."""
        after = ""
        while page := await asyncio.to_thread(
            files.partials, self._partial, after=after, limit=_PAGE
        ):
            yield page
            after = page[-1].handle

    async def delete_partial(self, partial: ListedPartial) -> None:
        """Remove the file."""
        await asyncio.to_thread(files.unlink, [self._partial / partial.handle])


class FilesystemPartial:
    """A partial file, open and locked."""

    def __init__(self, descriptor: int, path: Path, final_path: Callable[[UUID], Path]) -> None:
        self._descriptor = descriptor
        self._path = path
        self._final_path = final_path
        self._key: UUID | None = None
        self._pending: asyncio.Future[None] | None = None
        self._syncing: asyncio.Future[None] | None = None
        self._unsynced_bytes = 0

    async def resume(self, key: UUID, *, offset_bytes: int, state: bytes | None) -> None:
        """Go on; whatever was written beyond the offset is written again."""
        del state
        self._key = key
        if os.fstat(self._descriptor).st_size < offset_bytes:
            raise PartialLost("the upload's bytes are lost; begin a new upload")

    async def write(
        self, chunks: Sequence[bytes], *, offset_bytes: int, alongside: Callable[[bytes], object]
    ) -> None:
        """Write in a thread while the caller receives more; small pieces at once."""
        await self.settle()
        self._unsynced_bytes += _size(chunks)
        if _size(chunks) <= _INLINE_BYTES:
            self._write(chunks, offset_bytes, alongside)
            return
        loop = asyncio.get_running_loop()
        self._pending = loop.run_in_executor(None, self._write, chunks, offset_bytes, alongside)
        if self._unsynced_bytes >= _SYNC_BYTES and self._syncing is None:
            self._unsynced_bytes = 0
            self._syncing = loop.run_in_executor(None, self._sync)
            self._syncing.add_done_callback(self._synced)

    def _sync(self) -> None:
        with _room():
            os.fdatasync(self._descriptor)

    def _synced(self, syncing: asyncio.Future[None]) -> None:
        if syncing.exception() is None:  # else it stays, for whoever waits
            self._syncing = None

    def _write(
        self, chunks: Sequence[bytes], offset_bytes: int, alongside: Callable[[bytes], object]
    ) -> None:
        pieces = chunks if len(chunks) <= _VECTOR_LIMIT else [b"".join(chunks)]
        with _room():
            written = os.pwritev(self._descriptor, pieces, offset_bytes)
            rest = memoryview(b"".join(pieces))[written:] if written < _size(pieces) else None
            while rest:
                written += (count := os.pwrite(self._descriptor, rest, offset_bytes + written))
                rest = rest[count:]
        for piece in pieces:
            alongside(piece)

    async def settle(self) -> None:
        """Wait for the write under way, also when cancelled: the file must not change later."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await threads.finished(pending)

    async def sync(self) -> None:
        """Write what the page cache still holds, in a thread; the file says the rest."""
        await self.settle()
        await threads.finished(asyncio.get_running_loop().run_in_executor(None, self._sync))

    async def digest(self, algorithm: Algorithm, size_bytes: int) -> Digest:
        """Read and hash in a thread."""
        await self.settle()
        return await asyncio.to_thread(self._digest, algorithm, size_bytes)

    def _digest(self, algorithm: Algorithm, size_bytes: int) -> Digest:
        hashed = hashlib.new(algorithm)
        offset = 0
        while piece := os.pread(self._descriptor, min(READ_BYTES, size_bytes - offset), offset):
            hashed.update(piece)
            offset += len(piece)
        return Digest(algorithm=algorithm, encoded=hashed.hexdigest())

    async def publish(self, size_bytes: int, digest: Digest | None) -> None:
        """Fsync, rename, fsync the folder, in one thread."""
        del digest
        assert self._key is not None  # noqa: S101 `resume` comes first
        await self.settle()
        if self._syncing is not None:
            await threads.finished(self._syncing)
        await asyncio.to_thread(self._publish, self._final_path(self._key), size_bytes)

    def _publish(self, final: Path, size_bytes: int) -> None:
        with _room():
            if os.fstat(self._descriptor).st_size != size_bytes:
                os.ftruncate(self._descriptor, size_bytes)
            os.fsync(self._descriptor)
            if final.exists():  # an earlier request's, whose row may still be on its way
                raise PartialLost("the upload has ended before; begin a new upload")
            self._path.rename(final)
            files.fsync_folder(final.parent)

    async def discard(self) -> None:
        """Remove the file."""
        await self.settle()
        self._path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Unlock."""
        try:
            await self.settle()
        finally:
            if self._syncing is not None:
                await asyncio.wait([self._syncing])
            os.close(self._descriptor)


def _open_locked(path: Path) -> int:
    """Open and lock a partial file that still has its name when the lock is held."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise StorageBusy("another request is writing to this upload") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    """Say whether the name still leads to the open file: it may have been published meanwhile."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(f"storage full: {error.strerror}") from error
        raise


def _size(pieces: Sequence[bytes]) -> int:
    return sum(map(len, pieces))
