"""A blob's bytes on their way: hashed as they pass, the last held back until all are right."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from protocol.content import ContentSource
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import DigestMismatch, ProtocolError, SizeMismatch
from replication.limits import Bandwidth

if TYPE_CHECKING:
    from hashlib import _Hash

_MARKS: Final = 32


class VerifiedStream:
    """Reads one blob from its source and hands it on, from any offset that an upload asks for.

    A wrong length or digest raises before the final chunk is handed on, so that no upload of wrong
    bytes can be committed. Senders tend to wrap what their body raises: `failure` keeps it.
    """

    def __init__(
        self,
        source: ContentSource,
        blob: Descriptor,
        *,
        moved: Callable[[int], None],
        bandwidth: Bandwidth | None = None,
    ) -> None:
        self.failure: Exception | None = None
        self._source = source
        self._blob = blob
        self._moved = moved
        self._bandwidth = bandwidth
        self._handed_on = 0
        self._marks: deque[tuple[int, _Hash]] = deque(maxlen=_MARKS)

    async def chunks(self, offset_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yield the bytes from an offset on; raise ContentError or what the source raises."""
        self._report(offset_bytes - self._handed_on)
        self.failure = None
        held = b""
        try:
            async with aclosing(self._verified(offset_bytes)) as verified:
                async for chunk in verified:
                    if held:
                        await self._pass(held)
                        yield held
                    held = chunk
        except (ProtocolError, OSError) as error:
            self.failure = error
            raise
        if held:
            await self._pass(held)
            yield held

    async def _verified(self, offset_bytes: int) -> AsyncGenerator[bytes, None]:
        """Yield what comes after the offset; end only when length and digest are right."""
        position, hasher = self._mark_before(offset_bytes)
        size = self._blob.size_bytes
        if position < size or not size:
            async with self._source.read_blob(self._blob, offset_bytes=position) as incoming:
                async for chunk in incoming:
                    hasher.update(chunk)
                    start, position = position, position + len(chunk)
                    if position > size:
                        raise SizeMismatch(expected_bytes=size, actual_bytes=position)
                    self._marks.append((position, hasher.copy()))
                    if position > offset_bytes:
                        yield chunk[max(0, offset_bytes - start) :]
        self._check(position, hasher)

    def _mark_before(self, offset_bytes: int) -> tuple[int, _Hash]:
        """Return the last known hash at or before an offset; what lies between is read again."""
        while self._marks and self._marks[-1][0] > offset_bytes:
            self._marks.pop()
        if self._marks:
            position, hasher = self._marks[-1]
            return position, hasher.copy()
        return 0, hashlib.new(self._blob.digest.algorithm)

    def _check(self, position: int, hasher: _Hash) -> None:
        size, digest = self._blob.size_bytes, self._blob.digest
        if position != size:
            raise SizeMismatch(expected_bytes=size, actual_bytes=position)
        actual = Digest(algorithm=digest.algorithm, encoded=hasher.hexdigest())
        if actual != digest:
            raise DigestMismatch(expected=str(digest), actual=str(actual))

    async def _pass(self, chunk: bytes) -> None:
        if self._bandwidth is not None:
            await self._bandwidth.take(len(chunk))
        self._report(len(chunk))

    def _report(self, count_bytes: int) -> None:
        self._handed_on += count_bytes
        if count_bytes:
            self._moved(count_bytes)
