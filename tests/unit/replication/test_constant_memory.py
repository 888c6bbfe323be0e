"""What a copy holds does not grow with what it copies."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from typing_extensions import override

from protocol.content import BlobUpload
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from replication.blobs import BlobCopier
from replication.context import CopyContext
from replication.tally import Tally
from replication.transfer import Transfer
from tests.fakes.stores import MemoryRegistry, MemoryStore

CHUNK = bytes(range(256)) * 256
CHUNKS = 256
BLOB_BYTES = len(CHUNK) * CHUNKS
HELD_BYTES = 1024 * 1024


class Spring(MemoryStore):
    """A source whose blob is made while it is read."""

    @override
    @asynccontextmanager
    async def read_blob(
        self, blob: Descriptor, *, offset_bytes: int = 0
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        yield self._flow(offset_bytes)

    async def _flow(self, offset_bytes: int) -> AsyncIterator[bytes]:
        for start in range(offset_bytes, BLOB_BYTES, len(CHUNK)):
            # A new one each time, as from a socket: one object handed around would weigh nothing.
            yield bytes(bytearray(CHUNK[start % len(CHUNK) :]))


class Drain:
    """An upload that only counts."""

    def __init__(self) -> None:
        self.received_bytes = 0

    @property
    def offset_bytes(self) -> int:
        return self.received_bytes

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        async for chunk in chunks:
            self.received_bytes += len(chunk)

    async def recover(self) -> int:
        raise AssertionError("nothing was cut")

    async def cancel(self) -> None:
        raise AssertionError("nothing was given up")


class Sink(MemoryStore):
    """A destination that keeps nothing."""

    def __init__(self, registry: MemoryRegistry, name: str) -> None:
        super().__init__(registry, name)
        self.upload = Drain()

    @override
    async def begin_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobUpload | None:
        return self.upload


@contextmanager
def traced() -> Iterator[list[int]]:
    """Give the peak of what was held meanwhile, in bytes, once it is over."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


def large_blob() -> Descriptor:
    hasher = hashlib.sha256()
    for _ in range(CHUNKS):
        hasher.update(CHUNK)
    return Descriptor(
        media_type="application/octet-stream",
        digest=Digest(algorithm=Algorithm.SHA256, encoded=hasher.hexdigest()),
        size_bytes=BLOB_BYTES,
    )


async def test_a_large_blob_is_never_held_whole() -> None:
    blob = large_blob()
    transfer = Transfer(
        source_repository="app", destination_repository="app", digest=blob.digest, tags=()
    )
    sink = Sink(MemoryRegistry(), "app")
    context = CopyContext()
    tally = Tally(transfer=transfer, listener=context.listener)
    copier = BlobCopier(Spring(MemoryRegistry(), "app"), sink, context, tally)
    with traced() as peak_bytes:
        await copier.copy(blob)
    assert sink.upload.received_bytes == BLOB_BYTES
    assert peak_bytes[0] < HELD_BYTES < BLOB_BYTES // 10
