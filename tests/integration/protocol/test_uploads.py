from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from protocol.client.registry import RegistryClient
from protocol.client.repository import RemoteRepository
from protocol.digest import Algorithm
from protocol.errors import (
    DigestMismatch,
    NotFound,
    RateLimited,
    Rejected,
    SizeMismatch,
    Unreachable,
)
from protocol.transport import Timeouts, Transport
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.protocol.connecting import IMPATIENT
from tests.integration.protocol.content import HUGE, LARGE, pieces, pointing_to, push


@pytest.mark.parametrize("content", [b"", b"x", b"small", LARGE])
@pytest.mark.parametrize("location", ["relative", "absolute", "state"])
async def test_a_blob_goes_up_in_one_put_to_the_location_as_it_was_given(
    registry: FakeRegistry, repository: RemoteRepository, content: bytes, location: str
) -> None:
    registry.habits.location = location
    blob = await push(repository, content)
    assert registry.repository("a/b").blobs[str(blob.digest)] == content
    assert registry.requests.by_kind() == {("POST", "upload"): 1, ("PUT", "upload"): 1}


async def test_sha512_goes_up_under_its_own_digest(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = pointing_to(b"content", Algorithm.SHA512)
    upload = await repository.begin_blob(blob)
    assert upload is not None
    await upload.send(pieces(b"content"))
    assert str(blob.digest) in registry.repository("a/b").blobs
    assert "digest-algorithm=sha512" in registry.requests.seen[0][2]


async def test_a_blob_of_another_repository_is_mounted_in_one_request(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("base/image").put_blob(LARGE)
    assert await repository.begin_blob(blob, mount_from="base/image") is None
    assert str(blob.digest) in registry.repository("a/b").blobs
    assert registry.requests.count() == 1


async def test_asking_the_repository_itself_tells_what_is_there_and_opens_the_session(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    present = registry.repository("a/b").put_blob(b"present")
    assert await repository.begin_blob(present, mount_from="a/b") is None
    upload = await repository.begin_blob(pointing_to(b"absent"), mount_from="a/b")
    assert upload is not None
    await upload.send(pieces(b"absent"))
    assert registry.requests.by_kind() == {("POST", "upload"): 2, ("PUT", "upload"): 1}


async def test_a_202_to_a_mount_is_a_session_that_is_used(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.mounts = False
    blob = registry.repository("base/image").put_blob(b"layer")
    upload = await repository.begin_blob(blob, mount_from="base/image")
    assert upload is not None
    await upload.send(pieces(b"layer"))
    assert str(blob.digest) in registry.repository("a/b").blobs
    assert registry.requests.count("POST", "upload") == 1


@pytest.mark.parametrize("status", [400, 405, 500])
async def test_a_registry_that_fails_at_mounts_is_asked_once(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    registry.habits.mount_status = status
    for content in (b"one", b"two"):
        upload = await repository.begin_blob(pointing_to(content), mount_from="a/b")
        assert upload is not None
        await upload.send(pieces(content))
    assert len(registry.repository("a/b").blobs) == 2
    assert registry.requests.count("POST", "upload") == 3


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_a_mount_source_we_may_not_read_does_not_end_mounting(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    registry.habits.mount_status = status
    assert await repository.begin_blob(pointing_to(b"x"), mount_from="secret/one") is not None
    registry.habits.mount_status = None
    blob = registry.repository("base/image").put_blob(b"layer")
    assert await repository.begin_blob(blob, mount_from="base/image") is None


async def test_a_429_to_the_upload_is_waited_for(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.faults.too_many_requests("POST", "upload", retry_after="0")
    registry.faults.too_many_requests("PUT", "upload", retry_after="0")
    blob = await push(repository, b"content")
    assert str(blob.digest) in registry.repository("a/b").blobs


async def test_what_is_too_large_for_one_request_goes_in_chunks_and_so_does_the_next(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.whole_limit_bytes = 5 * 1024 * 1024
    blob = await push(repository, HUGE)
    assert registry.repository("a/b").blobs[str(blob.digest)] == HUGE
    assert registry.requests.count("PATCH", "upload") == 3
    registry.requests.clear()
    other = await push(repository, HUGE[::-1])
    assert registry.repository("a/b").blobs[str(other.digest)] == HUGE[::-1]
    assert registry.requests.count("PUT", "upload") == 1


async def test_chunks_are_as_long_as_the_registry_wants_them(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.habits.chunk_min_bytes = 6 * 1024 * 1024
    await push(client.repository("a/b", chunked=True), HUGE)
    assert registry.requests.count("PATCH", "upload") == 2


async def test_a_registry_may_take_less_than_it_is_given(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.habits.chunk_accepts_bytes = 3 * 1024 * 1024
    blob = await push(client.repository("a/b", chunked=True), HUGE)
    assert registry.repository("a/b").blobs[str(blob.digest)] == HUGE


async def test_a_registry_that_takes_nothing_is_given_up(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.habits.chunk_accepts_bytes = 0
    upload = await client.repository("a/b", chunked=True).begin_blob(pointing_to(LARGE))
    assert upload is not None
    with pytest.raises(SizeMismatch):
        await upload.send(pieces(LARGE))


@pytest.mark.parametrize("status", [416, 500, 503])
async def test_a_failed_chunk_goes_on_where_the_registry_stands(
    registry: FakeRegistry, client: RegistryClient, status: int
) -> None:
    registry.faults.answer("PATCH", "upload", status, skip=1)
    blob = await push(client.repository("a/b", chunked=True), HUGE)
    assert registry.repository("a/b").blobs[str(blob.digest)] == HUGE
    assert registry.requests.count("GET", "upload") == 1


async def test_a_chunk_cut_half_way_is_completed(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.faults.add(
        Fault(method="PATCH", kind="upload", reset_request_after_bytes=2_000_000, skip=1)
    )
    blob = await push(client.repository("a/b", chunked=True), HUGE)
    assert registry.repository("a/b").blobs[str(blob.digest)] == HUGE


async def test_a_put_cut_half_way_goes_on_from_what_arrived(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.faults.add(Fault(method="PUT", kind="upload", reset_request_after_bytes=1_500_000))
    blob = pointing_to(LARGE)
    upload = await repository.begin_blob(blob)
    assert upload is not None
    with pytest.raises(Unreachable):
        await upload.send(pieces(LARGE))
    offset = await upload.recover()
    assert offset == 1_500_000
    await upload.send(pieces(LARGE[offset:]))
    assert registry.repository("a/b").blobs[str(blob.digest)] == LARGE


async def test_a_small_put_that_was_cut_is_not_sent_again_behind_our_back(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    small = b"0123456789" * 1000
    registry.faults.add(Fault(method="PUT", kind="upload", reset_request_after_bytes=4_000))
    upload = await repository.begin_blob(blob := pointing_to(small))
    assert upload is not None
    with pytest.raises(Unreachable):
        await upload.send(pieces(small))
    assert registry.requests.count("PUT", "upload") == 1
    offset = await upload.recover()
    await upload.send(pieces(small[offset:]))
    assert registry.repository("a/b").blobs[str(blob.digest)] == small


async def test_one_500_to_a_put_is_overcome(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.faults.answer("PUT", "upload", 500)
    blob = await push(repository, LARGE)
    assert registry.repository("a/b").blobs[str(blob.digest)] == LARGE


async def test_a_commit_whose_answer_was_lost_is_found_and_not_sent_again(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.faults.add(Fault(method="PUT", kind="upload", reset_after_commit=True))
    blob = pointing_to(LARGE)
    upload = await repository.begin_blob(blob)
    assert upload is not None
    with pytest.raises(Unreachable):
        await upload.send(pieces(LARGE))
    assert await upload.recover() == len(LARGE)
    await upload.send(pieces(b""))
    assert registry.requests.count("PUT", "upload") == 1
    assert str(blob.digest) in registry.repository("a/b").blobs


async def test_a_session_that_is_gone_says_so(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    upload = await repository.begin_blob(pointing_to(LARGE))
    assert upload is not None
    registry.state.uploads.clear()
    with pytest.raises(NotFound):
        await upload.send(pieces(LARGE))
    with pytest.raises(NotFound):
        await upload.recover()


async def test_an_abandoned_session_is_given_back_and_a_refusal_is_no_matter(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    upload = await repository.begin_blob(pointing_to(LARGE))
    assert upload is not None
    registry.habits.cancels = False
    await upload.cancel()
    assert registry.open_uploads == 1
    registry.habits.cancels = True
    await upload.cancel()
    assert registry.open_uploads == 0


@pytest.mark.parametrize("content", [LARGE, b"small"])
@pytest.mark.parametrize("difference", [-1, 1])
async def test_a_source_of_another_length_commits_nothing(
    registry: FakeRegistry, repository: RemoteRepository, content: bytes, difference: int
) -> None:
    upload = await repository.begin_blob(pointing_to(content))
    assert upload is not None
    wrong = content[:difference] if difference < 0 else content + b"x"
    with pytest.raises(SizeMismatch):
        await upload.send(pieces(wrong))
    assert registry.repository("a/b").blobs == {}


async def spoilt(content: bytes) -> AsyncIterator[bytes]:
    async for piece in pieces(content):
        yield piece
    raise DigestMismatch(expected="sha256:a", actual="sha256:b")


@pytest.mark.parametrize("content", [LARGE, b"small"])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_source_that_fails_its_digest_at_the_end_stops_the_commit(
    registry: FakeRegistry, client: RegistryClient, content: bytes, *, chunked: bool
) -> None:
    upload = await client.repository("a/b", chunked=chunked).begin_blob(pointing_to(content))
    assert upload is not None
    with pytest.raises(DigestMismatch):
        await upload.send(spoilt(content))
    assert registry.repository("a/b").blobs == {}


async def test_content_that_differs_is_refused_by_the_registry(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    upload = await repository.begin_blob(pointing_to(b"right"))
    assert upload is not None
    with pytest.raises(Rejected, match="DIGEST_INVALID"):
        await upload.send(pieces(b"wrong"))
    assert registry.repository("a/b").blobs == {}


async def test_a_wait_that_is_too_long_goes_to_the_caller(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.faults.too_many_requests("POST", "upload", retry_after="3600")
    with pytest.raises(RateLimited) as caught:
        await repository.begin_blob(pointing_to(b"x"))
    assert caught.value.retry_after_seconds == 3600


async def test_a_registry_that_takes_no_more_bytes_is_noticed(registry: FakeRegistry) -> None:
    held = asyncio.Event()
    registry.faults.add(Fault(method="PUT", kind="upload", hold=held))
    large = bytes(32 * 1024 * 1024)
    async with Transport(timeouts=Timeouts(stall_seconds=0.3)) as transport:
        client = RegistryClient(transport, url=registry.url, patience=IMPATIENT)
        upload = await client.repository("a/b").begin_blob(pointing_to(large))
        assert upload is not None
        with pytest.raises(Unreachable, match="no progress"):
            await upload.send(pieces(large, 1024 * 1024))
    held.set()


async def test_a_cancelled_upload_leaves_no_blob(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    arrived = asyncio.Event()
    never = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield LARGE[:100_000]
        yield LARGE[100_000:200_000]
        arrived.set()
        await never.wait()

    upload = await repository.begin_blob(pointing_to(LARGE))
    assert upload is not None
    task = asyncio.ensure_future(upload.send(slow()))
    async with asyncio.timeout(5):
        await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert registry.repository("a/b").blobs == {}
