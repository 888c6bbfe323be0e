"""Bytes for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator

from protocol.client.repository import RemoteRepository
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from protocol.errors import ExchangeError, NotFound

LARGE = bytes(range(256)) * 12 * 1024  # 3 MiB: more than one piece of memory
HUGE = LARGE * 3  # 9 MiB: more than two chunks


async def pieces(content: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    """Yield content as a source would."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def pointing_to(content: bytes, algorithm: Algorithm = Algorithm.SHA256) -> Descriptor:
    """Describe content that is nowhere yet."""
    return Descriptor(
        media_type="x/y", digest=Digest.of(content, algorithm), size_bytes=len(content)
    )


async def read(repository: RemoteRepository, blob: Descriptor, *, offset: int = 0) -> bytes:
    """Read a blob whole."""
    async with repository.read_blob(blob, offset_bytes=offset) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def push(repository: RemoteRepository, content: bytes, attempts: int = 4) -> Descriptor:
    """Push a blob as the copy engine does: begin, send, recover, go on."""
    blob = pointing_to(content)
    upload = await repository.begin_blob(blob)
    assert upload is not None
    for left in range(attempts, 0, -1):
        try:
            await upload.send(pieces(content[upload.offset_bytes :]))
        except ExchangeError:
            if left == 1:
                raise
        else:
            break
        try:
            await upload.recover()
        except NotFound:
            renewed = await repository.begin_blob(blob)
            assert renewed is not None
            upload = renewed
    return blob
