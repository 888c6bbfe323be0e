from __future__ import annotations

from collections.abc import AsyncIterator

from protocol.client.registry import RegistryClient
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from tests.fakes.registry.server import FakeRegistry

LARGE = bytes(range(256)) * 16 * 1024  # 4 MiB


async def pieces(content: bytes, size: int = 64 * 1024) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def pointing_to(content: bytes) -> Descriptor:
    return Descriptor(media_type="x/y", digest=Digest.of(content), size_bytes=len(content))


async def read(client: RegistryClient, blob: Descriptor, *, offset: int = 0) -> bytes:
    async with client.repository("a/b").read_blob(blob, offset_bytes=offset) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_a_blob_is_read_whole_and_from_an_offset(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    assert await read(client, blob) == LARGE
    assert await read(client, blob, offset=1000) == LARGE[1000:]
    assert await read(client, blob, offset=len(LARGE)) == b""
