"""This registry on S3: any process goes on with an upload, and nothing acknowledged is missing."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from access import users
from access.authentication import Authenticator
from access.identity import SYSTEM
from database.pool import Database
from protocol import media_types
from protocol.descriptor import Descriptor
from protocol.digest import Algorithm, Digest
from protocol.errors import (
    DigestMismatch,
    NotFound,
    RangeNotSatisfiable,
    RegistryError,
    Unavailable,
)
from registry import maintenance
from registry.collection import sweeping
from registry.http import routes
from registry.repository import Beginning, LocalRepository
from registry.service import Registry
from registry.storage import s3 as s3_storage
from registry.storage.address import Address
from registry.storage.driver import Storage
from tests.fakes import s3
from tests.integration.registry import steps
from tests.integration.registry.conftest import PASSWORD

MEBIBYTE = 1024 * 1024
CONTENT = bytes(range(256)) * 80_000  # two parts and a tail


def a_blob(content: bytes = CONTENT) -> Descriptor:
    return Descriptor(
        media_type=media_types.OCI_LAYER, digest=Digest.of(content), size_bytes=len(content)
    )


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 300_000):
        yield content[start : start + 300_000]


async def read(repository: LocalRepository, blob: Descriptor) -> bytes:
    async with repository.read_blob(blob) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.fixture
async def address(s3_proxy: s3.Proxy) -> Address:
    address = s3.address(s3_proxy.url, prefix="registry", tries=1)
    await s3.make_bucket(address)
    return address


@contextlib.asynccontextmanager
async def a_process(
    database: Database, address: Address, *, redirects: bool = False
) -> AsyncIterator[LocalRepository]:
    """What one process is made of; it shares nothing with others but Postgres and S3."""
    async with s3_storage.opened(address, redirects=redirects) as storage:
        yield Registry(database, storage).repository(steps.REPOSITORY, SYSTEM)


@pytest.fixture
async def storage(address: Address) -> AsyncIterator[Storage]:
    async with s3_storage.opened(address, redirects=False) as storage:
        yield storage


@pytest.fixture
async def repository(database: Database, address: Address) -> AsyncIterator[LocalRepository]:
    async with a_process(database, address) as repository:
        yield repository


async def begun(repository: LocalRepository) -> uuid.UUID:
    upload_id = await repository.begin_upload(Beginning())
    assert upload_id is not None
    return upload_id


async def append(repository: LocalRepository, upload_id: uuid.UUID, content: bytes) -> None:
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(content))


async def commit(repository: LocalRepository, upload_id: uuid.UUID, content: bytes) -> None:
    async with repository.uploads.open(upload_id) as upload:
        await upload.commit(Digest.of(content))


async def test_an_upload_begun_at_one_process_goes_on_at_another_and_ends_at_a_third(
    database: Database, address: Address
) -> None:
    async with AsyncExitStack() as stack:
        one, two, three = [
            await stack.enter_async_context(a_process(database, address)) for _ in range(3)
        ]
        upload_id = await begun(one)
        for process, start, end in [(one, 0, 9), (two, 9, 10), (one, 10, 11), (two, 11, 18)]:
            await append(process, upload_id, CONTENT[start * MEBIBYTE : end * MEBIBYTE])
        assert await three.uploads.offset(upload_id) == 18 * MEBIBYTE
        async with three.uploads.open(upload_id) as upload:
            await upload.append(in_pieces(CONTENT[18 * MEBIBYTE :]))
            await upload.commit(a_blob().digest)
        for process in (one, two, three):
            assert await read(process, a_blob()) == CONTENT


async def test_an_upload_is_held_by_one_process_until_its_lease_runs_out(
    database: Database, address: Address
) -> None:
    async with a_process(database, address) as one, a_process(database, address) as two:
        upload_id = await begun(one)
        async with contextlib.AsyncExitStack() as dead:
            lost = await dead.enter_async_context(one.uploads.open(upload_id))
            with pytest.raises(RangeNotSatisfiable, match="another request"):
                await append(two, upload_id, b"abc")
            async with database.connection() as connection:
                await connection.execute("UPDATE registry.uploads SET busy_until = now()")
            await append(two, upload_id, CONTENT[: 9 * MEBIBYTE])
            with pytest.raises(NotFound):  # its token is no longer the row's
                await lost.commit(Digest.of(b""))
        await append(two, upload_id, CONTENT[9 * MEBIBYTE :])
        await commit(two, upload_id, CONTENT)
        assert await read(one, a_blob()) == CONTENT


async def test_who_lost_its_lease_takes_nothing_from_whoever_went_on_and_was_acknowledged(
    database: Database, address: Address
) -> None:
    async with a_process(database, address) as one, a_process(database, address) as two:
        upload_id = await begun(one)
        await append(one, upload_id, CONTENT)
        async with contextlib.AsyncExitStack() as dead:
            lost = await dead.enter_async_context(one.uploads.open(upload_id))
            async with database.connection() as connection:
                await connection.execute("UPDATE registry.uploads SET busy_until = now()")
            await commit(two, upload_id, CONTENT)
            with pytest.raises(DigestMismatch):  # it reads what is there, and wants to drop it
                await lost.commit(Digest.of(b"other", Algorithm.SHA512))
        assert await read(two, a_blob()) == CONTENT


async def push(repository: LocalRepository, content: bytes) -> None:
    """Push as a client does, in two requests and a commit; go on after each failure."""
    upload_id: uuid.UUID | None = None
    for _ in range(20):
        try:
            upload_id = upload_id or await begun(repository)
            offset = await repository.uploads.offset(upload_id)
            if offset < len(content):
                half = content[offset:] if offset else content[: len(content) // 2]
                await append(repository, upload_id, half)
            if await repository.uploads.offset(upload_id) == len(content):
                await commit(repository, upload_id, content)
                return
        except NotFound:
            upload_id = None
        except Unavailable:
            continue
    raise AssertionError("it never got through")


async def calls_of_a_push(repository: LocalRepository, proxy: s3.Proxy, content: bytes) -> int:
    proxy.restart()
    await push(repository, content)
    return len(proxy.calls)


@pytest.mark.parametrize("fault", list(s3.Fault))
@pytest.mark.parametrize("size", [100_000, len(CONTENT)])
async def test_whichever_call_fails_what_is_acknowledged_is_there(
    repository: LocalRepository, s3_proxy: s3.Proxy, fault: s3.Fault, size: int
) -> None:
    calls = await calls_of_a_push(repository, s3_proxy, CONTENT[:size])
    assert calls >= (1 if size == 100_000 else 5)
    for failing in range(1, calls + 1):
        content = bytes([failing]) * 1000 + CONTENT[1000:size]
        s3_proxy.restart(s3.only(failing, fault))
        await push(repository, content)
        s3_proxy.restart()
        assert await read(repository, a_blob(content)) == content


async def test_other_bytes_after_a_lost_answer_are_never_taken_for_what_was_made(
    repository: LocalRepository, s3_proxy: s3.Proxy
) -> None:
    begin, one, other = b"b" * 9 * MEBIBYTE, b"1" * 7 * MEBIBYTE, b"2" * 7 * MEBIBYTE
    upload_id = await begun(repository)
    await append(repository, upload_id, begin)
    # The object is made, and nobody is told or can find out.
    faults = {1: None, 2: s3.Fault.UNANSWERED}
    s3_proxy.restart(lambda call: faults.get(call, s3.Fault.CUT))
    with pytest.raises(RegistryError):
        await _append_and_commit(repository, upload_id, one, begin + one)
    assert "POST" in s3_proxy.calls[1]
    s3_proxy.restart()
    with pytest.raises(RegistryError):
        await _append_and_commit(repository, upload_id, other, begin + other)
    assert not await repository.has_blob(a_blob(begin + other))


async def _append_and_commit(
    repository: LocalRepository, upload_id: uuid.UUID, rest: bytes, whole: bytes
) -> None:
    async with repository.uploads.open(upload_id) as upload:
        await upload.append(in_pieces(rest))
        await upload.commit(Digest.of(whole))


async def test_with_every_tenth_call_failing_clients_notice_nothing(
    database: Database, address: Address, s3_proxy: s3.Proxy
) -> None:
    patient = s3.address(address.endpoint, name=address.bucket, tries=6)
    faults = list(s3.Fault)
    s3_proxy.restart(lambda call: faults[call // 10 % len(faults)] if call % 10 == 0 else None)
    contents = [bytes([i]) * 1000 + CONTENT[: i * 3 * MEBIBYTE] for i in range(6)]
    async with a_process(database, patient) as repository, asyncio.TaskGroup() as group:
        for content in contents:
            group.create_task(_push_and_read(repository, content))
    assert len(s3_proxy.calls) > 20


async def _push_and_read(repository: LocalRepository, content: bytes) -> None:
    upload = await repository.begin_blob(a_blob(content))
    assert upload is not None
    await upload.send(in_pieces(content))
    assert await read(repository, a_blob(content)) == content


async def test_an_error_names_the_call_and_the_object(
    repository: LocalRepository, s3_proxy: s3.Proxy, database: Database
) -> None:
    upload_id = await begun(repository)
    async with database.connection() as connection:
        key = await connection.fetchval("SELECT storage_key FROM registry.uploads")
    s3_proxy.restart(lambda _: s3.Fault.REFUSED)
    told = f"put_object of registry/objects/{key.hex[:2]}/{key.hex} in bucket"
    await append(repository, upload_id, b"content")
    with pytest.raises(Unavailable, match=told):
        await commit(repository, upload_id, b"content")


async def multiparts(storage: Storage) -> int:
    return sum([len(page) async for page in storage.partials()])


async def test_what_is_cancelled_expired_or_refused_leaves_no_parts(
    repository: LocalRepository, database: Database, storage: Storage
) -> None:
    cancelled, expired, wrong = [await begun(repository) for _ in range(3)]
    for upload_id in (cancelled, expired, wrong):
        await append(repository, upload_id, CONTENT)
    assert await multiparts(storage) == 3
    assert await repository.uploads.cancel(cancelled)
    with pytest.raises(DigestMismatch):
        await commit(repository, wrong, b"something else")
    async with database.connection() as connection:
        await connection.execute("UPDATE registry.uploads SET expires_at = now()")
    assert await maintenance.expire_uploads(database, storage) == 1
    assert await multiparts(storage) == 0
    assert (await sweeping.sweep(database, storage)).objects == 3
    assert await storage.objects(after=None, limit=10) == []


async def test_parts_that_no_row_knows_of_are_swept_once_they_are_a_day_old(
    repository: LocalRepository,
    database: Database,
    storage: Storage,
) -> None:
    forgotten, kept = await begun(repository), await begun(repository)
    for upload_id in (forgotten, kept):
        await append(repository, upload_id, CONTENT)
    async with database.connection() as connection:
        await connection.execute("DELETE FROM registry.uploads WHERE id = $1", forgotten)
    century = timedelta(days=36_500)  # moto says of all that they began in 2010
    assert await maintenance.sweep_partials(database, storage, older_than=century) == 0
    past = -timedelta(days=1)
    assert await maintenance.sweep_partials(database, storage, older_than=past) == 1
    await commit(repository, kept, CONTENT)
    assert await read(repository, a_blob()) == CONTENT


async def test_a_large_blob_is_never_held_whole(repository: LocalRepository) -> None:
    size = 160 * MEBIBYTE

    async def zeros() -> AsyncIterator[bytes]:
        for _ in range(size // MEBIBYTE):
            yield bytes(MEBIBYTE)

    upload_id = await begun(repository)
    tracemalloc.start()
    try:
        async with repository.uploads.open(upload_id) as upload:
            await upload.append(zeros())
            taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # The proxy, in this process, holds each of the four parts under way, some of them twice.
    assert taken < 96 * MEBIBYTE


@pytest.mark.parametrize("redirects", [False, True])
async def test_a_blob_is_pulled_in_part_and_whole(
    database: Database,
    address: Address,
    redirects: bool,  # noqa: FBT001 a parameter of the test
) -> None:
    async with s3_storage.opened(address, redirects=redirects) as storage:
        registry = Registry(database, storage)
        await _push_and_read(registry.repository(steps.REPOSITORY, SYSTEM), CONTENT)
        await users.ensure_admin(database, PASSWORD)
        app = web.Application()
        routes.register(app, registry, Authenticator(database))
        headers = {"Authorization": encode_basic_auth("admin", PASSWORD)}
        async with TestClient(TestServer(app), headers=headers) as client:
            path = f"/v2/{steps.REPOSITORY}/blobs/{a_blob().digest}"
            first = await client.get(path, allow_redirects=False)
            assert first.status == (307 if redirects else 200)
            whole = await client.get(path)
            assert await whole.read() == CONTENT
            part = await client.get(path, headers={"Range": "bytes=1000-1999"})
            assert (part.status, await part.read()) == (206, CONTENT[1000:2000])


async def test_an_object_that_is_gone_is_said_to_be_lost(
    repository: LocalRepository, storage: Storage
) -> None:
    await _push_and_read(repository, b"content")
    row = await repository.find_blob(a_blob(b"content").digest)
    await storage.delete([row.stored])
    with pytest.raises(RegistryError, match="not in the storage"):
        await read(repository, a_blob(b"content"))
