"""What was acknowledged is there, and no row ever points at missing bytes."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import (
    Denied,
    DigestMismatch,
    NotFound,
    RangeNotSatisfiable,
    SizeMismatch,
    Unavailable,
)
from registry import maintenance
from registry.collection import sweeping
from registry.portions import ALL_UPLOADS_BYTES, PIECE_BYTES
from registry.repository import Beginning, LocalRepository
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from registry.uploads import SAVE_BYTES
from tests.fakes.power_cut import Disk
from tests.fakes.small_storage import Died, Room, SmallStorage
from tests.integration.registry import steps

CONTENT = bytes(range(256)) * 40_000


def a_blob(content: bytes = CONTENT) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size_bytes=len(content)
    )


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 100_000):
        yield content[start : start + 100_000]


async def broken_off(content: bytes, after: int) -> AsyncIterator[bytes]:
    async for piece in in_pieces(content[:after]):
        yield piece
    raise ConnectionResetError


async def read(repository: LocalRepository, blob: Descriptor) -> bytes:
    async with repository.read_blob(blob) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def push(repository: LocalRepository, content: bytes) -> None:
    upload = await repository.begin_blob(a_blob(content))
    assert upload is not None
    await upload.send(in_pieces(content))


async def rows_without_objects(database: Database, storage: FilesystemStorage) -> list[str]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT storage_key FROM registry.blobs")
    return [
        str(row["storage_key"]) for row in rows if not storage.path(row["storage_key"]).exists()
    ]


@pytest.fixture
def repository(registry: Registry) -> LocalRepository:
    return registry.repository(steps.REPOSITORY, SYSTEM)


async def test_an_upload_goes_on_where_it_broke_off_in_another_process(
    repository: LocalRepository, database: Database, tmp_path: Path
) -> None:
    upload_id = await repository.begin_upload(Beginning())
    assert upload_id is not None
    with pytest.raises(ConnectionResetError):
        async with repository.uploads.open(upload_id) as upload:
            await upload.append(broken_off(CONTENT, 5_000_000))
    restarted = Registry(database, FilesystemStorage(tmp_path))
    again = restarted.repository(steps.REPOSITORY, SYSTEM)
    assert await again.uploads.offset(upload_id) == 5_000_000
    async with again.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(CONTENT[5_000_000:]))
        await upload.commit(a_blob().digest)
    assert await read(again, a_blob()) == CONTENT


async def test_progress_of_a_large_upload_is_saved_on_the_way(
    repository: LocalRepository,
) -> None:
    upload_id = await repository.begin_upload(Beginning())
    assert upload_id is not None
    seen: list[int] = []

    async def watched() -> AsyncIterator[bytes]:
        for _ in range(SAVE_BYTES // PIECE_BYTES + 3):
            seen.append(await repository.uploads.offset(upload_id))
            yield bytes(PIECE_BYTES)

    async with repository.uploads.open(upload_id) as upload:
        await upload.append(watched())
    assert (seen[0], seen[-1]) == (0, SAVE_BYTES)


async def test_many_slow_uploads_hold_little_that_is_not_written(
    repository: LocalRepository, tmp_path: Path
) -> None:
    uploads, chunk, chunks = 100, 64 * 1024, 14
    all_receive, everything_came = asyncio.Barrier(uploads), asyncio.Barrier(uploads + 1)
    looked = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await all_receive.wait()
        for _ in range(chunks):
            yield bytes(chunk)
        await everything_came.wait()
        await looked.wait()

    async def upload() -> None:
        upload_id = await repository.begin_upload(Beginning())
        assert upload_id is not None
        async with repository.uploads.open(upload_id) as opened:
            await opened.append(slow())

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for _ in range(uploads):
            group.create_task(upload())
        await everything_came.wait()
        written = sum(path.stat().st_size for path in (tmp_path / "partial").iterdir())
        looked.set()
    assert uploads * chunk * chunks - written <= ALL_UPLOADS_BYTES + uploads * chunk


async def test_an_upload_of_our_own_recovers(repository: LocalRepository) -> None:
    upload = await repository.begin_blob(a_blob())
    assert upload is not None
    with pytest.raises(ConnectionResetError):
        await upload.send(broken_off(CONTENT, 3_000_000))
    assert await upload.recover() == upload.offset_bytes == 3_000_000
    await upload.send(in_pieces(CONTENT[3_000_000:]))
    assert await read(repository, a_blob()) == CONTENT


async def test_an_upload_is_written_by_one_at_a_time(repository: LocalRepository) -> None:
    upload_id = await repository.begin_upload(Beginning())
    assert upload_id is not None
    async with repository.uploads.open(upload_id):
        with pytest.raises(RangeNotSatisfiable, match="another request"):
            async with repository.uploads.open(upload_id):
                pass
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(b"abc"))


@pytest.mark.parametrize("size", [100, 200_000, 3_000_000])
async def test_a_full_disk_refuses_and_leaves_nothing_half_done(
    database: Database, tmp_path: Path, size: int
) -> None:
    room = Room(left_bytes=size - 1)
    storage = SmallStorage(tmp_path, room)
    repository = Registry(database, storage).repository(steps.REPOSITORY, SYSTEM)
    with pytest.raises(Denied, match="storage full"):
        await push(repository, CONTENT[:size])
    assert not await repository.has_blob(a_blob(CONTENT[:size]))
    assert list((tmp_path / "partial").iterdir()) == []
    assert await rows_without_objects(database, storage) == []
    room.left_bytes = size
    await push(repository, CONTENT[:size])
    assert await read(repository, a_blob(CONTENT[:size])) == CONTENT[:size]


async def test_death_between_object_and_row_leaves_no_row_and_the_object_is_swept(
    database: Database, tmp_path: Path
) -> None:
    room = Room(left_bytes=10**9, dies_after_publish=True)
    storage = SmallStorage(tmp_path, room)
    repository = Registry(database, storage).repository(steps.REPOSITORY, SYSTEM)
    with pytest.raises(Died):
        await push(repository, b"content")
    assert not await repository.has_blob(a_blob(b"content"))
    async with database.connection() as connection:
        await connection.execute("UPDATE registry.uploads SET expires_at = now()")
    assert await maintenance.expire_uploads(database, storage) == 1
    assert (await sweeping.sweep(database, storage)).objects == 1
    assert [path for path in (tmp_path / "objects").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("size", [100, 300_000, len(CONTENT)])
async def test_what_was_acknowledged_survives_a_power_cut(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    storage = FilesystemStorage(tmp_path)
    repository = Registry(database, storage).repository(steps.REPOSITORY, SYSTEM)
    disk = Disk(tmp_path)
    disk.watch(monkeypatch)
    await push(repository, CONTENT[:size])
    disk.cut()
    assert await read(repository, a_blob(CONTENT[:size])) == CONTENT[:size]


async def test_what_an_upload_says_it_holds_survives_a_power_cut(
    repository: LocalRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = await repository.begin_upload(Beginning())
    assert upload_id is not None
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(CONTENT[:3_000_000]))
    disk = Disk(tmp_path)
    disk.watch(monkeypatch)
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(CONTENT[3_000_000:6_000_000]))
    disk.cut()
    assert await repository.uploads.offset(upload_id) == 6_000_000
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(CONTENT[6_000_000:]))
        await upload.commit(a_blob().digest)
    assert await read(repository, a_blob()) == CONTENT


async def test_what_a_crash_left_of_uploads_is_swept_when_it_is_a_day_old(
    repository: LocalRepository, database: Database, storage: FilesystemStorage, tmp_path: Path
) -> None:
    under_way = await repository.begin_upload(Beginning())
    assert under_way is not None
    left, fresh = uuid.uuid4(), uuid.uuid4()
    for upload_id in (under_way, left, fresh):
        partial = await storage.open_partial(upload_id)
        await partial.close()
    for upload_id in (under_way, left):
        os.utime(tmp_path / "partial" / upload_id.hex, (0, 0))
    assert await maintenance.sweep_partials(database, storage) == 1
    names = {path.name for path in (tmp_path / "partial").iterdir()}
    assert names == {under_way.hex, fresh.hex}


async def test_of_two_uploads_of_one_digest_one_object_stays(
    repository: LocalRepository, database: Database, storage: FilesystemStorage
) -> None:
    uploads = [await repository.begin_blob(a_blob()) for _ in range(2)]
    for upload in uploads:
        assert upload is not None
        await upload.send(in_pieces(CONTENT))
    assert (await sweeping.sweep(database, storage)).objects == 1
    assert await rows_without_objects(database, storage) == []
    assert await read(repository, a_blob()) == CONTENT


async def test_a_digest_pushed_again_after_its_deletion_is_there(
    repository: LocalRepository, database: Database
) -> None:
    await push(repository, b"content")
    await repository.delete_blob(a_blob(b"content").digest)
    assert not await repository.has_blob(a_blob(b"content"))
    async with database.connection() as connection:
        await connection.execute("DELETE FROM registry.blobs")  # what collection will do
    await push(repository, b"content")
    assert await read(repository, a_blob(b"content")) == b"content"


async def test_what_is_not_what_was_promised_ends_the_upload(repository: LocalRepository) -> None:
    for sent, error in [(b"contenT", DigestMismatch), (b"short", SizeMismatch)]:
        upload = await repository.begin_blob(a_blob(b"content"))
        assert upload is not None
        with pytest.raises(error):
            await upload.send(in_pieces(sent))
        with pytest.raises(NotFound):
            await upload.recover()
    assert not await repository.has_blob(a_blob(b"content"))


async def test_a_promise_of_another_size_is_noticed_where_the_blob_is_already(
    registry: Registry, repository: LocalRepository
) -> None:
    await push(repository, b"content")
    wrong = replace(a_blob(b"content"), size_bytes=70)
    elsewhere = registry.repository("library/other", SYSTEM)
    for one in (repository, elsewhere):
        with pytest.raises(SizeMismatch, match="70"):
            await one.begin_blob(wrong)


async def test_an_upload_whose_bytes_are_lost_says_so(
    repository: LocalRepository, tmp_path: Path
) -> None:
    upload_id = await repository.begin_upload(Beginning())
    assert upload_id is not None
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(b"abc"))
    (tmp_path / "partial" / upload_id.hex).unlink()
    with pytest.raises(NotFound, match="begin a new upload"):
        async with repository.uploads.open(upload_id):
            pass


async def test_what_references_lose_waits_for_review(
    repository: LocalRepository, database: Database
) -> None:
    await push(repository, b"{}")
    body = steps.image(b"{}", [])
    manifest = RawManifest(media_type=media_types.OCI_MANIFEST, digest=Digest.of(body), body=body)
    await repository.write_manifest(manifest, tag="latest")
    async with database.connection() as connection:
        await connection.execute("DELETE FROM registry.gc_queue")
        await repository.delete_tag("latest")
        await repository.delete_manifest(manifest.digest)
        await repository.delete_blob(a_blob(b"{}").digest)
        rows = await connection.fetch("SELECT kind, reason FROM registry.gc_queue ORDER BY 1, 2")
    found = [(row["kind"].decode(), row["reason"]) for row in rows]
    assert found == [("b", "unlinked"), ("l", "manifest_deleted"), ("m", "untagged")]


async def test_an_unknown_upload_leaves_no_file(
    repository: LocalRepository, tmp_path: Path
) -> None:
    with pytest.raises(NotFound):
        async with repository.uploads.open(uuid.uuid4()):
            pass
    assert list((tmp_path / "partial").iterdir()) == []


async def test_bytes_that_are_lost_are_said_to_be_lost_and_not_to_be_unknown(
    client: steps.Client, repository: LocalRepository, storage: FilesystemStorage
) -> None:
    content = b"content"
    await push(repository, content)
    row = await repository.find_blob(a_blob(content).digest)
    storage.path(row.storage_key).unlink()
    path = f"/v2/{repository.repository}/blobs/{a_blob(content).digest}"
    answer = await steps.ask(client, "GET", path)
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")
    with pytest.raises(Unavailable, match="not in the storage"):
        await read(repository, a_blob(content))
