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
from registry.errors import ObjectMissing, StorageBusy, StorageFull

READ_BYTES: Final = 1024 * 1024
_INLINE_BYTES: Final = 256 * 1024  # less than a thread hop costs, into the page cache
_VECTOR_LIMIT: Final = 512
_SYNC_BYTES: Final = 32 * 1024 * 1024  # the disk begins while the rest still arrives
_SHARDS: Final = 256
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class FilesystemStorage:
    """A folder, on this machine or a shared mount with atomic rename and flock."""

    def __init__(self, root: Path) -> None:
        """Create the folders; do so once, at start."""
        self._objects = root / "objects"
        self._partial = root / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._objects.mkdir(exist_ok=True)
        for shard in range(_SHARDS):
            (self._objects / f"{shard:02x}").mkdir(exist_ok=True)
        for folder in (self._objects, root):
            _fsync_folder(folder)

    async def open_partial(self, upload: UUID) -> FilesystemPartial:
        """Hold the partial file of an upload."""
        path = self._partial / upload.hex
        with _room():
            descriptor = _open_locked(path)
        return FilesystemPartial(descriptor, path, self.path)

    @contextlib.asynccontextmanager
    async def read(
        self, key: UUID, *, offset_bytes: int = 0
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an object at an offset."""
        try:
            file = self.path(key).open("rb", buffering=0)
        except FileNotFoundError:
            raise ObjectMissing(f"object {key} is not in {self._objects}") from None
        try:
            file.seek(offset_bytes)
            yield _chunks(file.read)
        finally:
            file.close()

    def path(self, key: UUID) -> Path:
        """Return where an object lies."""
        return self._objects / key.hex[:2] / key.hex

    def local_path(self, key: UUID) -> Path:
        """Return the file to send from."""
        return self.path(key)

    async def delete(self, key: UUID) -> None:
        """Remove an object."""
        await asyncio.to_thread(self.path(key).unlink, missing_ok=True)

    async def delete_partial(self, upload: UUID) -> None:
        """Remove what an abandoned upload left."""
        await asyncio.to_thread((self._partial / upload.hex).unlink, missing_ok=True)

    async def free_bytes(self) -> int | None:
        """Return what an ordinary user may still write."""
        facts = await asyncio.to_thread(os.statvfs, self._objects)
        return facts.f_bavail * facts.f_frsize


class FilesystemPartial:
    """A partial file, open and locked."""

    def __init__(self, descriptor: int, path: Path, final_path: Callable[[UUID], Path]) -> None:
        self._descriptor = descriptor
        self._path = path
        self._final_path = final_path
        self._pending: asyncio.Future[None] | None = None
        self._syncing: asyncio.Future[None] | None = None
        self._unsynced_bytes = 0
        self.size_bytes = os.fstat(descriptor).st_size

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
            await _finish(pending)

    async def sync(self) -> None:
        """Write what the page cache still holds, in a thread."""
        await self.settle()
        await _finish(asyncio.get_running_loop().run_in_executor(None, self._sync))

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

    async def publish(self, key: UUID, size_bytes: int) -> None:
        """Fsync, rename, fsync the folder, in one thread."""
        await self.settle()
        if self._syncing is not None:
            await _finish(self._syncing)
        await asyncio.to_thread(self._publish, self._final_path(key), size_bytes)

    def _publish(self, final: Path, size_bytes: int) -> None:
        with _room():
            if os.fstat(self._descriptor).st_size != size_bytes:
                os.ftruncate(self._descriptor, size_bytes)
            os.fsync(self._descriptor)
            self._path.rename(final)
            _fsync_folder(final.parent)

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


async def _finish(future: asyncio.Future[None]) -> None:
    """Wait to the end, whatever happens to the waiter: a thread cannot be stopped."""
    try:
        await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise


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


async def _chunks(read: Callable[[int], bytes]) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(read, READ_BYTES):
        yield chunk


def _size(pieces: Sequence[bytes]) -> int:
    return sum(map(len, pieces))


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
