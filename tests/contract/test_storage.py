"""What every storage driver must do; the filesystem is the one there is."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.digest import Algorithm, Digest
from registry.errors import ObjectMissing, StorageBusy
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage


@pytest.fixture(params=["filesystem"])
def storage(tmp_path: Path) -> Storage:
    return FilesystemStorage(tmp_path)


def ignore(chunk: bytes) -> None:
    del chunk


async def write(storage: Storage, content: bytes, upload: uuid.UUID, offset_bytes: int = 0) -> None:
    partial = await storage.open_partial(upload)
    await partial.write([content], offset_bytes=offset_bytes, alongside=ignore)
    await partial.close()


async def publish(storage: Storage, upload: uuid.UUID, size_bytes: int) -> uuid.UUID:
    key = uuid.uuid4()
    partial = await storage.open_partial(upload)
    await partial.publish(key, size_bytes)
    await partial.close()
    return key


async def read(storage: Storage, key: uuid.UUID, offset_bytes: int = 0) -> bytes:
    async with storage.read(key, offset_bytes=offset_bytes) as chunks:
        return await _joined(chunks)


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("size", [0, 1, 300_000, 3_000_000])
async def test_what_is_published_is_read_back_from_any_offset(storage: Storage, size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    upload = uuid.uuid4()
    await write(storage, content, upload)
    key = await publish(storage, upload, size)
    assert await read(storage, key) == content
    assert await read(storage, key, size // 2) == content[size // 2 :]


async def test_a_partial_goes_on_after_it_was_closed(storage: Storage) -> None:
    upload = uuid.uuid4()
    await write(storage, b"hello ", upload)
    partial = await storage.open_partial(upload)
    assert partial.size_bytes == 6
    await partial.close()
    await write(storage, b"world", upload, offset_bytes=6)
    assert await read(storage, await publish(storage, upload, 11)) == b"hello world"


async def test_what_was_written_beyond_the_end_is_cut_off(storage: Storage) -> None:
    upload = uuid.uuid4()
    await write(storage, b"hello world", upload)
    assert await read(storage, await publish(storage, upload, 5)) == b"hello"


async def test_a_partial_is_held_by_one(storage: Storage) -> None:
    upload = uuid.uuid4()
    partial = await storage.open_partial(upload)
    with pytest.raises(StorageBusy):
        await storage.open_partial(upload)
    await partial.close()
    again = await storage.open_partial(upload)
    await again.close()


async def test_whoever_comes_after_a_publish_begins_anew(storage: Storage) -> None:
    upload = uuid.uuid4()
    await write(storage, b"first", upload)
    key = await publish(storage, upload, 5)
    partial = await storage.open_partial(upload)
    assert partial.size_bytes == 0
    await partial.write([b"other"], offset_bytes=0, alongside=ignore)
    await partial.close()
    assert await read(storage, key) == b"first"


async def test_every_chunk_is_handed_alongside_in_order(storage: Storage) -> None:
    seen: list[bytes] = []
    chunks = [bytes([i]) * 1000 for i in range(250)] * 8
    partial = await storage.open_partial(uuid.uuid4())
    await partial.write(chunks, offset_bytes=0, alongside=seen.append)
    await partial.settle()
    assert b"".join(seen) == b"".join(chunks)
    expected = Digest.of(b"".join(chunks), Algorithm.SHA512)
    assert await partial.digest(Algorithm.SHA512, 2_000_000) == expected
    await partial.discard()
    await partial.close()


async def test_a_deleted_object_is_missing_and_deleting_it_again_is_fine(storage: Storage) -> None:
    upload = uuid.uuid4()
    await write(storage, b"x", upload)
    key = await publish(storage, upload, 1)
    for _ in range(2):
        await storage.delete(key)
    with pytest.raises(ObjectMissing):
        await read(storage, key)


async def test_free_room_is_known(storage: Storage) -> None:
    free = await storage.free_bytes()
    assert free is not None
    assert free > 0
