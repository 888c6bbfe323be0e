from __future__ import annotations

import asyncio

import pytest

from protocol.client.registry import RegistryClient
from protocol.client.repository import RemoteRepository
from protocol.errors import (
    Denied,
    DigestMismatch,
    NotFound,
    SizeMismatch,
    Unavailable,
    Unreachable,
)
from protocol.transport import Timeouts, Transport
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.protocol.connecting import IMPATIENT
from tests.integration.protocol.content import LARGE, pointing_to, read

DIGEST_OF_NOTHING = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


async def test_a_blob_is_read_whole_and_from_an_offset(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    assert await read(repository, blob) == LARGE
    assert await read(repository, blob, offset=1000) == LARGE[1000:]


async def test_nothing_is_asked_for_at_the_end_of_a_blob(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    assert await read(repository, blob, offset=len(LARGE)) == b""
    assert registry.requests.count() == 0


async def test_a_blob_of_no_bytes_is_read_without_a_range(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(b"")
    assert str(blob.digest) == DIGEST_OF_NOTHING
    assert await read(repository, blob) == b""


async def test_a_cut_body_goes_on_where_it_broke(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    registry.faults.cut("GET", "blob", after_bytes=1_000_000)
    registry.faults.cut("GET", "blob", after_bytes=500_000)
    assert await read(repository, blob) == LARGE
    assert registry.requests.count("GET", "blob") == 3


async def test_a_body_that_never_moves_on_is_given_up(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    registry.faults.cut("GET", "blob", after_bytes=0, times=-1)
    with pytest.raises(Unreachable, match="broke the connection"):
        await read(repository, blob)
    assert registry.requests.count("GET", "blob") == 3


async def test_a_server_without_ranges_is_read_again_from_the_start(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    registry.habits.ranges = False
    registry.faults.cut("GET", "blob", after_bytes=1_000_000)
    assert await read(repository, blob) == LARGE


async def test_a_range_that_is_not_the_one_asked_for_is_not_believed(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    wrong = {"Content-Range": f"bytes 7-{len(LARGE) - 1}/{len(LARGE)}"}
    registry.faults.add(Fault(method="GET", kind="blob", headers=wrong))
    assert await read(repository, blob, offset=1000) == LARGE[1000:]


async def test_a_416_to_a_range_is_read_from_the_start(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    registry.faults.answer("GET", "blob", 416)
    assert await read(repository, blob, offset=1000) == LARGE[1000:]


async def test_a_length_that_differs_from_the_descriptor_is_refused_before_a_byte(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    registry.faults.add(Fault(method="GET", kind="blob", replace_body=LARGE + b"x"))
    with pytest.raises(SizeMismatch) as caught:
        await read(repository, blob)
    assert (caught.value.expected_bytes, caught.value.actual_bytes) == (len(LARGE), len(LARGE) + 1)


async def test_a_body_shorter_than_the_blob_is_refused(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    registry.faults.add(Fault(method="GET", kind="blob", replace_body=LARGE[:-1]))
    with pytest.raises(SizeMismatch):
        await read(repository, blob)


async def test_compressed_layers_come_as_they_are(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    encoded = {"Content-Encoding": "gzip"}
    registry.faults.add(Fault(method="GET", kind="blob", headers=encoded))
    assert await read(repository, blob) == LARGE


async def test_storage_behind_the_registry_is_read_without_our_credentials(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.door.scheme, registry.door.anonymous_pull = "bearer", True
    registry.habits.redirect_blobs = True
    blob = registry.repository("a/b").put_blob(LARGE)
    assert await read(repository, blob) == LARGE
    assert registry.requests.count("GET", "storage") == 1


async def test_an_expired_address_of_the_storage_is_asked_for_again(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    registry.habits.redirect_blobs = True
    blob = registry.repository("a/b").put_blob(LARGE)
    registry.faults.cut("GET", "storage", after_bytes=1_000_000)
    registry.faults.answer("GET", "storage", 403)
    assert await read(repository, blob) == LARGE
    assert registry.requests.count("GET", "blob") == 3
    assert registry.requests.count("GET", "storage") == 3


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_passing_failure_is_tried_again(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    blob = registry.repository("a/b").put_blob(b"layer")
    registry.faults.answer("GET", "blob", status, times=2)
    assert await read(repository, blob) == b"layer"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413])
async def test_a_refusal_is_not_tried_again(
    registry: FakeRegistry, repository: RemoteRepository, status: int
) -> None:
    blob = registry.repository("a/b").put_blob(b"layer")
    registry.faults.answer("GET", "blob", status)
    with pytest.raises(Exception, match=str(status)):
        await read(repository, blob)
    assert registry.requests.count("GET", "blob") == 1


async def test_a_failure_that_lasts_comes_out_with_its_status(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(b"layer")
    registry.faults.answer("GET", "blob", 503, times=-1)
    with pytest.raises(Unavailable) as caught:
        await read(repository, blob)
    assert caught.value.status == 503
    assert registry.requests.count("GET", "blob") == 3


async def test_a_blob_that_is_missing_is_not_found(repository: RemoteRepository) -> None:
    with pytest.raises(NotFound, match="BLOB_UNKNOWN"):
        await read(repository, pointing_to(b"nowhere"))


async def test_a_blob_is_there_by_head_and_403_counts_as_absent(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(b"layer")
    assert await repository.has_blob(blob)
    assert not await repository.has_blob(pointing_to(b"other"))
    registry.faults.answer("HEAD", "blob", 403)
    assert not await repository.has_blob(blob)


async def test_a_blob_of_another_length_under_the_same_digest_is_refused(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(b"layer")
    registry.repository("a/b").blobs[str(blob.digest)] = b"longer than that"
    with pytest.raises(SizeMismatch):
        await repository.has_blob(blob)


async def test_a_flipped_bit_reaches_the_reader_who_hashes(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(b"layer")
    registry.faults.add(Fault(method="GET", kind="blob", flip_bit_at=2))
    content = await read(repository, blob)
    with pytest.raises(DigestMismatch):
        blob.digest.verify(content)


async def test_a_server_that_stops_sending_is_noticed_and_the_rest_asked_for(
    registry: FakeRegistry,
) -> None:
    blob = registry.repository("a/b").put_blob(LARGE)
    stuck = asyncio.Event()
    registry.faults.add(Fault(method="GET", kind="blob", drip_bytes=100_000, hold=stuck))
    async with Transport(timeouts=Timeouts(stall_seconds=0.2)) as transport:
        client = RegistryClient(transport, url=registry.url, patience=IMPATIENT)
        assert await read(client.repository("a/b"), blob) == LARGE
    stuck.set()
    assert registry.requests.count("GET", "blob") == 2


async def test_a_denied_blob_is_denied(
    registry: FakeRegistry, repository: RemoteRepository
) -> None:
    blob = registry.repository("a/b").put_blob(b"layer")
    registry.faults.answer("GET", "blob", 403)
    with pytest.raises(Denied):
        await read(repository, blob)
