"""A blob's bytes on their way out: counted, and never a byte of the last one too early."""

from __future__ import annotations

from collections.abc import AsyncIterator

from protocol.errors import SizeMismatch
from protocol.request import Stream


class Body:
    """`length_bytes` bytes out of an iterator.

    It stays one chunk behind its source: the last chunk leaves only when the source has ended in
    peace, so that a source which checks its digest at the end can still stop the commit.
    """

    def __init__(self, chunks: AsyncIterator[bytes], length_bytes: int) -> None:
        self.length_bytes = length_bytes
        self.is_sent = False
        self._chunks = chunks
        self._failure: Exception | None = None

    async def collect(self) -> bytes:
        """Return everything; for small blobs."""
        content = bytearray()
        async for chunk in self._guarded():
            content += chunk
        self.is_sent = True
        return bytes(content)

    def stream(self) -> Stream:
        """Return it as a request's body."""
        return Stream(length_bytes=self.length_bytes, chunks=self._guarded())

    async def pieces(self, size_bytes: int) -> AsyncIterator[bytes]:
        """Yield pieces of exactly `size_bytes`, the last one of what is left."""
        content = bytearray()
        async for chunk in self._guarded():
            content += chunk
            while len(content) > size_bytes:
                yield bytes(content[:size_bytes])
                del content[:size_bytes]
        if content:
            yield bytes(content)

    def raise_failure(self) -> None:
        """Raise what the source raised: aiohttp hides it behind an error of its own."""
        if self._failure is not None:
            raise self._failure

    async def _guarded(self) -> AsyncIterator[bytes]:
        with self:
            async for chunk in self._counted():
                yield chunk
            self.is_sent = True

    def __enter__(self) -> None:
        self._failure = None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, Exception):
            self._failure = error

    async def _counted(self) -> AsyncIterator[bytes]:
        held, count = b"", 0
        async for chunk in self._chunks:
            count += len(chunk)
            if count > self.length_bytes:
                raise SizeMismatch(expected_bytes=self.length_bytes, actual_bytes=count)
            if held:
                yield held
            held = chunk
        if count != self.length_bytes:
            raise SizeMismatch(expected_bytes=self.length_bytes, actual_bytes=count)
        if held:
            yield held
