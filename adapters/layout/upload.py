"""A blob on its way into a folder: written beside, verified, then renamed to its digest."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import weakref
from collections.abc import AsyncIterator, Callable
from typing import ParamSpec

from adapters.layout import faults, threads
from adapters.layout.folder import Folder
from protocol import hashing
from protocol.descriptor import Descriptor
from protocol.errors import DigestMismatch, SizeMismatch

P = ParamSpec("P")

_PIECE_BYTES = 1024 * 1024


class BlobFileUpload:
    """An upload into `folder`; the partial file is locked for as long as this object lives."""

    def __init__(self, folder: Folder, blob: Descriptor) -> None:
        self._folder = folder
        self._blob = blob
        self._name, self._descriptor = _open_partial(folder, blob.digest.encoded)
        self._close = weakref.finalize(self, os.close, self._descriptor)

    @property
    def offset_bytes(self) -> int:
        """How many bytes are there already."""
        return os.fstat(self._descriptor).st_size

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        """Append everything from the offset to the end, verify, make durable, then show it.

        Raises SizeMismatch, DigestMismatch (a later try starts anew then) and ExchangeError.
        """
        hasher = hashing.Hasher(self._blob.digest.algorithm)
        while hasher.bytes_hashed < self.offset_bytes:
            await self._do(self._hash_more, hasher)
        pieces: list[bytes] = []
        gathered = 0
        async for chunk in chunks:
            pieces.append(chunk)
            gathered += len(chunk)
            if gathered >= _PIECE_BYTES:
                await self._do(self._append, hasher, b"".join(pieces))
                pieces, gathered = [], 0
        await self._do(self._append, hasher, b"".join(pieces))
        await self._do(self._commit, hasher)

    async def recover(self) -> int:
        """Return how far it got."""
        return self.offset_bytes

    async def cancel(self) -> None:
        """Remove what was written."""
        if self._close.alive:
            self._folder.remove(self._name)
            self._close()

    async def _do(self, work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        with faults.told("write blob", f"{self._folder.path}/{self._blob.digest.encoded}"):
            await threads.finish(work, *args, **kwargs)

    def _hash_more(self, hasher: hashing.Hasher) -> None:
        hasher.update(os.pread(self._descriptor, _PIECE_BYTES, hasher.bytes_hashed))

    def _append(self, hasher: hashing.Hasher, piece: bytes) -> None:
        if hasher.bytes_hashed + len(piece) > self._blob.size_bytes:
            self._discard()
            raise SizeMismatch(
                expected_bytes=self._blob.size_bytes,
                actual_bytes=hasher.bytes_hashed + len(piece),
            )
        hasher.update(piece)
        rest = memoryview(piece)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _commit(self, hasher: hashing.Hasher) -> None:
        expected, actual = self._blob.digest, hasher.digest()
        if hasher.bytes_hashed != self._blob.size_bytes:
            raise SizeMismatch(
                expected_bytes=self._blob.size_bytes, actual_bytes=hasher.bytes_hashed
            )
        if actual != expected:
            self._discard()
            raise DigestMismatch(expected=str(expected), actual=str(actual))
        os.fsync(self._descriptor)
        self._folder.rename(self._name, expected.encoded)
        self._close()

    def _discard(self) -> None:
        """Give up bytes that can never become the blob; a later try starts anew."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)


def _open_partial(folder: Folder, encoded: str) -> tuple[str, int]:
    """Open the partial file of a blob, or one of our own while somebody else writes that one."""
    shared = f".{encoded}.part"
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    descriptor = folder.open_file(shared, flags)
    if _is_ours(folder, shared, descriptor):
        return shared, descriptor
    os.close(descriptor)
    own = f".{encoded}.{secrets.token_hex(8)}.part"
    descriptor = folder.open_file(own, flags | os.O_EXCL)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return own, descriptor


def _is_ours(folder: Folder, name: str, descriptor: int) -> bool:
    """Lock the file; say whether it still has its name, which its last writer may have taken."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.ENOENT}:
            return False
        raise
    return os.path.samestat(there, os.fstat(descriptor))
