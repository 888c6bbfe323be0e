"""What every storage driver must do."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protocol.digest import Algorithm, Digest
from registry.errors import ObjectMissing, PartialLost, StorageBusy
from registry.storage import s3 as s3_storage
from registry.storage.driver import (
    ListedObject,
    ListedPartial,
    LocalFile,
    Partial,
    Redirect,
    Storage,
)
from registry.storage.filesystem import FilesystemStorage
from registry.storage.s3 import S3Storage
from registry.stored_object import StoredObject
from tests.fakes import s3


@pytest.fixture
def folder(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path)


@pytest.fixture
async def bucket(s3_proxy: s3.Proxy) -> AsyncIterator[S3Storage]:
    address = s3.address(s3_proxy.url)
    await s3.make_bucket(address)
    async with s3_storage.opened(address, redirects=False) as storage:
        yield storage


@pytest.fixture
async def bucket_with_redirects(s3_proxy: s3.Proxy) -> AsyncIterator[Storage]:
    address = s3.address(s3_proxy.url, prefix="some/prefix")
    await s3.make_bucket(address)
    async with s3_storage.opened(address, redirects=True) as storage:
        yield storage


@pytest.fixture
async def failing_bucket(s3_proxy: s3.Proxy) -> AsyncIterator[Storage]:
    """Every third call fails, each time in another way."""
    address = s3.address(s3_proxy.url, tries=6)
    await s3.make_bucket(address)
    faults = itertools.cycle([s3.Fault.REFUSED, s3.Fault.CUT, s3.Fault.UNANSWERED, s3.Fault.BROKEN])
    s3_proxy.restart(lambda call: next(faults) if call % 3 == 0 else None)
    async with s3_storage.opened(address, redirects=False) as storage:
        yield storage


@pytest.fixture(params=["folder", "bucket", "bucket_with_redirects", "failing_bucket"])
def storage(request: pytest.FixtureRequest) -> Storage:
    storage: Storage = request.getfixturevalue(request.param)
    return storage


class Upload:
    """An upload as its row would remember it."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.id = uuid.uuid4()
        self.stored = StoredObject(uuid.uuid4())
        self.offset_bytes = 0
        self.state: bytes | None = None

    async def resume(self) -> Partial:
        partial = await self.storage.open_partial(self.id)
        try:
            await partial.resume(self.stored.key, offset_bytes=self.offset_bytes, state=self.state)
        except PartialLost:
            await partial.close()
            raise
        return partial

    async def append(self, content: bytes) -> None:
        """Write and remember, as one request does."""
        partial = await self.resume()
        await partial.write([content], offset_bytes=self.offset_bytes, alongside=ignore)
        self.state = await partial.sync()
        await partial.close()
        self.offset_bytes += len(content)

    async def publish(self) -> StoredObject:
        partial = await self.resume()
        await partial.publish(self.offset_bytes, None)
        await partial.close()
        return self.stored


def ignore(chunk: bytes) -> None:
    del chunk


async def an_object(storage: Storage, content: bytes) -> StoredObject:
    upload = Upload(storage)
    await upload.append(content)
    return await upload.publish()


async def read(
    storage: Storage, stored: StoredObject, offset_bytes: int = 0, length_bytes: int | None = None
) -> bytes:
    async with storage.read(stored, offset_bytes=offset_bytes, length_bytes=length_bytes) as chunks:
        return await _joined(chunks)


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def partials(storage: Storage) -> list[ListedPartial]:
    return [partial async for page in storage.partials() for partial in page]


@pytest.mark.parametrize("size", [0, 1, 300_000, 3_000_000, 20_000_000])
async def test_what_is_published_is_read_back_from_any_offset(storage: Storage, size: int) -> None:
    content = bytes(i % 251 for i in range(1000)) * (size // 1000) + bytes(size % 1000)
    stored = await an_object(storage, content)
    assert await storage.size_bytes(stored) == size
    assert await read(storage, stored) == content
    assert await read(storage, stored, size // 2) == content[size // 2 :]
    assert await read(storage, stored, size // 3, size // 3) == content[size // 3 :][: size // 3]


async def test_a_partial_goes_on_after_it_was_closed(storage: Storage) -> None:
    upload = Upload(storage)
    for piece in (b"hello ", b"wor", b"ld"):
        await upload.append(piece)
    assert await read(storage, await upload.publish()) == b"hello world"


async def test_a_large_partial_goes_on_from_wherever_it_was_saved(storage: Storage) -> None:
    pieces = [bytes([i]) * size for i, size in enumerate([6_000_000, 100, 9_000_000, 4_000_000])]
    upload = Upload(storage)
    for piece in pieces:
        await upload.append(piece)
    assert await read(storage, await upload.publish()) == b"".join(pieces)


async def test_what_was_written_and_not_saved_is_written_again(storage: Storage) -> None:
    upload = Upload(storage)
    await upload.append(b"a" * 7_000_000)
    partial = await upload.resume()
    await partial.write([b"x" * 9_000_000], offset_bytes=7_000_000, alongside=ignore)
    await partial.settle()
    await partial.close()
    await upload.append(b"b" * 100)
    assert await read(storage, await upload.publish()) == b"a" * 7_000_000 + b"b" * 100


async def test_a_partial_is_held_by_one_where_the_storage_locks(storage: Storage) -> None:
    upload = Upload(storage)
    partial = await upload.resume()
    if storage.locks:
        with pytest.raises(StorageBusy):
            await storage.open_partial(upload.id)
    await partial.close()
    await (await upload.resume()).close()


async def test_a_partial_without_its_bytes_is_lost(storage: Storage) -> None:
    upload = Upload(storage)
    upload.offset_bytes = 5
    with pytest.raises(PartialLost):
        await upload.resume()


async def test_every_chunk_is_handed_alongside_in_order(storage: Storage) -> None:
    seen: list[bytes] = []
    chunks = [bytes([i]) * 1000 for i in range(250)] * 8
    partial = await Upload(storage).resume()
    await partial.write(chunks, offset_bytes=0, alongside=seen.append)
    await partial.settle()
    assert b"".join(seen) == b"".join(chunks)
    await partial.discard()
    await partial.close()


@pytest.mark.parametrize("size", [2_000_000, 12_000_000])
async def test_what_is_stored_is_hashed_again_and_may_then_be_published(
    storage: Storage, size: int
) -> None:
    upload = Upload(storage)
    content = b"z" * size
    await upload.append(content)
    partial = await upload.resume()
    expected = Digest.of(content, Algorithm.SHA512)
    assert await partial.digest(Algorithm.SHA512, size) == expected
    await partial.publish(size, None)
    await partial.close()
    assert await read(storage, upload.stored) == content


async def test_what_was_hashed_again_may_be_discarded(storage: Storage) -> None:
    upload = Upload(storage)
    await upload.append(b"z" * 12_000_000)
    partial = await upload.resume()
    await partial.digest(Algorithm.SHA512, 12_000_000)
    await partial.discard()
    await partial.close()
    with pytest.raises(ObjectMissing):
        await storage.size_bytes(upload.stored)
    assert await partials(storage) == []


async def test_what_is_a_file_already_is_never_replaced_by_a_later_request(folder: Storage) -> None:
    upload = Upload(folder)
    partial = await upload.resume()
    await partial.write([b"first"], offset_bytes=0, alongside=len)
    await partial.publish(5, None)
    await partial.close()
    again = await upload.resume()
    await again.write([b"other"], offset_bytes=0, alongside=len)
    with pytest.raises(PartialLost, match="has ended before"):
        await again.publish(5, None)
    await again.close()
    async with folder.read(upload.stored) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"first"


async def test_a_deleted_object_is_missing_and_deleting_it_again_is_fine(storage: Storage) -> None:
    stored = await an_object(storage, b"x")
    for _ in range(2):
        await storage.delete([stored])
    with pytest.raises(ObjectMissing):
        await read(storage, stored)
    with pytest.raises(ObjectMissing):
        await storage.size_bytes(stored)


async def test_many_are_deleted_at_once_and_those_that_are_gone_are_fine(storage: Storage) -> None:
    kept, *others = [await an_object(storage, bytes([i])) for i in range(5)]
    assert list(await storage.delete([*others, StoredObject(uuid.uuid4())])) == []
    assert [one.key for one in await storage.objects(after=None, limit=10)] == [kept.key]


async def test_a_file_that_cannot_be_deleted_is_told_and_keeps_no_other_from_going(
    folder: FilesystemStorage,
) -> None:
    one, stuck, other = [await an_object(folder, bytes([i])) for i in range(3)]
    folder.path(stuck.key).unlink()
    folder.path(stuck.key).mkdir()
    (undeleted,) = await folder.delete([one, stuck, other])
    assert (undeleted.stored, "directory" in undeleted.words) == (stuck, True)
    assert [one.key for one in await folder.objects(after=None, limit=10)] in ([], [stuck.key])


@pytest.mark.parametrize("together", [True, False])
async def test_an_object_that_a_store_refuses_to_delete_is_told_and_keeps_no_other_from_going(
    bucket: S3Storage, s3_proxy: s3.Proxy, *, together: bool
) -> None:
    one, stuck, other = [await an_object(bucket, bytes([i])) for i in range(3)]
    s3_proxy.locked, s3_proxy.deletes_together = {bucket.path(stuck.key)}, together
    s3_proxy.restart()
    (undeleted,) = await bucket.delete([one, stuck, other])
    assert (undeleted.stored, "It is locked" in undeleted.words) == (stuck, True)
    assert len(s3_proxy.calls) == (1 if together else 4)
    assert [one.key for one in await bucket.objects(after=None, limit=10)] == [stuck.key]


async def test_a_store_that_does_not_answer_deletes_nothing_and_says_so(
    bucket: S3Storage, s3_proxy: s3.Proxy
) -> None:
    wanted = [await an_object(bucket, bytes([i])) for i in range(3)]
    s3_proxy.restart(lambda _: s3.Fault.REFUSED)
    undeleted = await bucket.delete(wanted)
    assert [one.stored for one in undeleted] == wanted
    assert all("SlowDown" in one.words for one in undeleted)
    s3_proxy.restart()
    assert len(await bucket.objects(after=None, limit=10)) == 3


async def test_objects_are_listed_by_key_page_by_page(storage: Storage) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    sizes = {(await an_object(storage, bytes(size))).key: size for size in range(1, 8)}
    listed: list[ListedObject] = []
    after = None
    while page := await storage.objects(after=after, limit=3):
        listed += page
        after = page[-1].key
    assert [one.key for one in listed] == sorted(sizes)
    assert {one.key: one.size_bytes for one in listed} == sizes
    assert all(began < one.written_at for one in listed)
    assert await storage.objects(after=max(sizes), limit=3) == []


async def test_what_is_not_published_is_listed_as_partial_and_can_be_deleted(
    storage: Storage,
) -> None:
    one, other = Upload(storage), Upload(storage)
    for upload in (one, other):
        await upload.append(b"y" * 9_000_000)
    assert await storage.objects(after=None, limit=10) == []
    listed = await partials(storage)
    names = {
        partial.name: upload
        for partial in listed
        for upload in (one, other)
        if partial.name in {upload.id, upload.stored.key}
    }
    assert len(names) == len(listed) == 2
    await storage.discard_partial(one.id, one.stored.key, one.state)
    for _ in range(2):
        await storage.delete_partial(
            next(partial for partial in listed if names[partial.name] is other)
        )
    assert await partials(storage) == []


async def test_a_client_gets_an_object_from_where_it_is(storage: Storage) -> None:
    stored = await an_object(storage, b"content")
    match await storage.sending(stored):
        case LocalFile(path=path):
            assert path.read_bytes() == b"content"
        case Redirect(url=url):
            assert url.startswith("http")
        case None:
            assert await read(storage, stored) == b"content"


async def test_room_is_known_where_there_is_a_limit(storage: Storage) -> None:
    await storage.check()
    room = await storage.room()
    assert room is None or 0 < room.free_bytes <= room.total_bytes
