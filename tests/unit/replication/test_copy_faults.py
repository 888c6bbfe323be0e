from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest

from protocol import media_types
from protocol.digest import Digest
from protocol.errors import DigestMismatch, NotFound, RateLimited, Unavailable
from replication.errors import CopyFailed, Side
from tests.fakes.copying import BIG, Rig, platform_index
from tests.fakes.registry.content import as_json
from tests.fakes.stores import refusal, unreachable


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize(
    "lie", [b"x" * len(BIG), BIG[:-1], BIG + b"more", b""], ids=["digest", "short", "long", "none"]
)
async def test_a_lying_blob_fails_and_is_never_committed(rig: Rig, lie: bytes) -> None:
    root = rig.here.put_image("v1", layers=(BIG,))
    rig.source.lies[Digest.of(BIG)] = lie
    rig.destination.credulous = True
    with pytest.raises(CopyFailed, match=r"reading blob app@sha256:.* at the source") as caught:
        await rig.copy(root, "v1")
    assert caught.value.side is Side.SOURCE
    assert rig.there.tags == {}
    assert str(Digest.of(BIG)) not in rig.there.blobs
    assert rig.destination.open_uploads == 0


async def test_a_lying_manifest_fails_and_shows_no_tag(rig: Rig) -> None:
    root = platform_index(rig.here, "v1")
    rig.source.lies[root.digest] = b'{"schemaVersion": 2}'
    with pytest.raises(CopyFailed, match="reading manifest app@sha256:") as caught:
        await rig.copy(root, "v1")
    assert isinstance(caught.value.cause, DigestMismatch)
    assert rig.there.tags == {}


async def test_an_index_of_fifty_levels_fails(rig: Rig) -> None:
    root = rig.here.put_index()
    for _ in range(50):
        root = rig.here.put_index(children=[root.descriptor])
    with pytest.raises(CopyFailed, match="deeper than 32 levels"):
        await rig.copy(root, "v1")
    assert rig.there.tags == {}


async def test_thirty_levels_arrive(rig: Rig) -> None:
    root = rig.here.put_index()
    for _ in range(30):
        root = rig.here.put_index(children=[root.descriptor])
    await rig.copy(root, "v1")
    rig.assert_same(*rig.here.manifests.values())


async def test_a_source_serving_a_circle_fails(rig: Rig) -> None:
    root = rig.here.put_index()
    circle = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [as_json(root.descriptor)],
    }
    rig.source.lies[root.digest] = json.dumps(circle).encode()
    with pytest.raises(CopyFailed, match="content hashes to"):
        await rig.copy(root, "v1")


@pytest.mark.parametrize("nested", [False, True], ids=["root", "inner"])
@pytest.mark.parametrize("fresh", [True, False])
async def test_a_referrer_that_holds_what_it_refers_to_is_copied(
    rig: Rig, *, nested: bool, fresh: bool
) -> None:
    child = rig.here.put_image()
    holder = rig.here.put_index(children=[child.descriptor])
    root = rig.here.put_index(children=[holder.descriptor]) if nested else holder
    rig.here.put_index(subject=child.descriptor, children=[holder.descriptor])
    async with asyncio.timeout(5):
        await rig.copy(root, "v1", fresh=fresh)
    rig.assert_same(*rig.here.manifests.values())


async def test_a_chain_of_referrers_without_end_fails(rig: Rig) -> None:
    root = last = rig.here.put_image("v1")
    for _ in range(40):
        last = rig.here.put_artifact(subject=last.descriptor)
    with pytest.raises(CopyFailed, match="deeper than 32 levels"):
        await rig.copy(root, "v1")
    assert rig.there.tags == {}


async def test_a_missing_child_fails_with_its_name(rig: Rig) -> None:
    image = rig.here.put_image()
    root = rig.here.put_index("v1", children=[image.descriptor])
    del rig.here.manifests[str(image.digest)]
    with pytest.raises(CopyFailed, match=str(image.digest)) as caught:
        await rig.copy(root, "v1")
    assert isinstance(caught.value.cause, NotFound)
    assert rig.there.tags == {}


@pytest.mark.parametrize("cut", [1, 1024, 5000, len(BIG)])
async def test_an_upload_goes_on_where_the_destination_stopped(rig: Rig, cut: int) -> None:
    root = rig.here.put_image("v1", layers=(BIG,))
    rig.destination.cut_at = [cut, cut]
    report = await rig.copy(root, "v1")
    assert rig.there.blobs[str(Digest.of(BIG))] == BIG
    assert report.bytes_copied == len(BIG) + len(b"{}")


async def test_an_upload_whose_session_is_gone_begins_anew(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(BIG,))
    rig.destination.cut_at = [3000]
    rig.destination.faults["recover blob"] = [refusal(NotFound, 404, "BLOB_UPLOAD_UNKNOWN")]
    await rig.copy(root, "v1")
    assert rig.there.blobs[str(Digest.of(BIG))] == BIG


async def test_an_upload_whose_answer_is_lost_is_not_sent_twice(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(), config=BIG)
    rig.destination.faults["answer blob"] = [unreachable()]
    rig.destination.faults["recover blob"] = [refusal(NotFound, 404, "BLOB_UPLOAD_UNKNOWN")]
    await rig.copy(root, "v1")
    assert rig.source.requests["read blob"] == 1


async def test_a_source_that_fails_once_is_asked_again(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(BIG,))
    rig.source.faults["read blob"] = [refusal(Unavailable, 503, "UNAVAILABLE"), unreachable()]
    await rig.copy(root, "v1")
    rig.assert_same(root)


async def test_a_destination_that_keeps_failing_fails_the_artifact(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(BIG,))
    rig.destination.faults["send blob"] = [unreachable() for _ in range(20)]
    with pytest.raises(CopyFailed, match=r"writing blob .* at the destination"):
        await rig.copy(root, "v1")
    assert rig.there.tags == {}
    assert rig.destination.open_uploads == 0


async def test_a_rate_limit_is_not_fought(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(BIG,))
    rig.source.faults["read blob"] = [refusal(RateLimited, 429, "TOOMANYREQUESTS")] * 2
    with pytest.raises(CopyFailed) as caught:
        await rig.copy(root, "v1")
    assert isinstance(caught.value.cause, RateLimited)


async def test_a_full_disk_names_the_destination(rig: Rig) -> None:
    root = rig.here.put_image("v1")
    rig.destination.faults["write manifest"] = [OSError(28, "No space left on device")]
    with pytest.raises(CopyFailed, match=r"writing manifest mirror/app:v1 .* No space left"):
        await rig.copy(root, "v1")


async def test_a_lost_lease_writes_nothing_more(rig: Rig) -> None:
    class LeaseLost(Exception):
        pass

    async def lost() -> None:
        raise LeaseLost

    root = platform_index(rig.here, "v1")
    rig.context = replace(rig.context, before_commit=lost)
    with pytest.raises(LeaseLost):
        await rig.copy(root, "v1")
    assert rig.there.manifests == {}


async def test_a_lease_lost_while_the_destination_was_busy_writes_nothing(rig: Rig) -> None:
    class LeaseLost(Exception):
        pass

    busy = asyncio.Semaphore(0)
    lost = asyncio.Event()

    async def confirm() -> None:
        if lost.is_set():
            raise LeaseLost

    root = rig.here.put_index("v1")
    rig.context.limits.destination = busy
    rig.context = replace(rig.context, before_commit=confirm)
    async with asyncio.timeout(5):
        copying = asyncio.ensure_future(rig.copy(root, "v1"))
        while not busy._waiters:  # noqa: SLF001, ASYNC110 - a semaphore tells nobody who waits
            await asyncio.sleep(0)
        lost.set()
        busy.release()
        with pytest.raises(LeaseLost):
            await copying
    assert rig.there.manifests == {}


async def test_a_stop_reaches_a_blob_under_way(rig: Rig) -> None:
    root = rig.here.put_image("v1", layers=(BIG,))
    rig.source.hold = asyncio.Event()
    async with asyncio.timeout(2):
        copying = asyncio.ensure_future(rig.copy(root, "v1"))
        await rig.source.holding.wait()
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
    assert rig.destination.open_uploads == 0
    assert rig.there.tags == {}
