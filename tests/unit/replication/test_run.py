from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from typing_extensions import override

from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import Denied
from replication.context import CopyContext
from replication.errors import PlanningFailed
from replication.policy import Filter, FilterKind, ReplicationPolicy
from replication.progress import Silence
from replication.run import run
from replication.transfer import Transfer, TransferReport
from tests.fakes.stores import MemoryAdapter, MemoryRegistry, refusal, unreachable

POLICY = ReplicationPolicy(destination_namespace="mirror", flattening=1)


@pytest.fixture
def source() -> MemoryAdapter:
    registry = MemoryRegistry()
    for number in range(40):
        registry.repository(f"team/app{number % 8}").put_image(
            f"v{number}", layers=(b"base", f"layer {number}".encode()), config=b"{%d}" % number
        )
    return MemoryAdapter(registry, page_size=5)


@pytest.fixture
def destination() -> MemoryAdapter:
    return MemoryAdapter(MemoryRegistry())


class Ears(Silence):
    """Adds up what it hears."""

    def __init__(self) -> None:
        self.started = self.ended = self.failed = self.bytes_found = self.bytes_moved = 0
        self.settled: list[str] = []
        self.written: list[str] = []

    @override
    def transfer_started(self, transfer: Transfer) -> None:
        self.started += 1

    @override
    def blob_found(self, transfer: Transfer, blob: Descriptor) -> None:
        self.bytes_found += blob.size_bytes

    @override
    def blob_moved(self, transfer: Transfer, blob: Descriptor, count_bytes: int) -> None:
        self.bytes_moved += count_bytes

    @override
    def blob_settled(self, transfer: Transfer, blob: Descriptor, how: str) -> None:
        self.settled.append(how)

    @override
    def manifest_written(self, transfer: Transfer, reference: str) -> None:
        self.written.append(reference)

    @override
    def transfer_ended(self, transfer: Transfer, report: TransferReport | None) -> None:
        self.ended += 1
        self.failed += report is None


async def test_a_run_copies_everything_and_the_next_nothing(
    source: MemoryAdapter, destination: MemoryAdapter
) -> None:
    first = await run(source, destination, POLICY)
    assert (first.transfers_copied, first.failures, first.tags_written) == (40, 0, 40)
    assert source.registry.requests["read blob"] == 40 + 40 + 1
    assert len(destination.prepared) == len(set(destination.prepared)) == 8
    for name, held in source.registry.repositories.items():
        there = destination.registry.repositories[name.replace("team", "mirror")]
        assert (there.tags, there.manifests, there.blobs) == (held.tags, held.manifests, held.blobs)
    second = await run(source, destination, POLICY)
    assert (second.transfers_copied, second.bytes_copied) == (0, 0)
    assert second.skips.counts.total() == 40


async def test_one_failing_artifact_stops_no_other(
    source: MemoryAdapter, destination: MemoryAdapter
) -> None:
    source.registry.lies[Digest.of(b"layer 7")] = b"LAYER 7"
    report = await run(source, destination, POLICY)
    assert (report.transfers_copied, report.failures) == (39, 1)
    assert report.failed[0].repository == "team/app7"
    assert "reading blob" in str(report.failed[0])
    assert "v7" not in destination.registry.repositories["mirror/app7"].tags


async def test_a_listener_hears_all_of_it(
    source: MemoryAdapter, destination: MemoryAdapter
) -> None:
    ears = Ears()
    source.registry.lies[Digest.of(b"layer 7")] = b"LAYER 7"
    report = await run(source, destination, POLICY, context=CopyContext(listener=ears))
    assert (ears.started, ears.ended, ears.failed) == (40, 40, 1)
    assert ears.bytes_moved == report.bytes_copied + len(b"{7}")
    assert ears.settled.count("copied") == report.blobs_copied + 1
    assert len(ears.written) == 39


async def test_a_repository_that_cannot_be_prepared_fails_its_artifacts(
    source: MemoryAdapter, destination: MemoryAdapter
) -> None:
    class Closed(MemoryAdapter):
        @override
        async def prepare(self, repository: str, *, public: bool | None = None) -> None:
            if repository == "mirror/app3":
                raise refusal(Denied, 403, "DENIED", "no project for you")
            await super().prepare(repository, public=public)

    report = await run(source, Closed(destination.registry), POLICY)
    assert report.failures == 5
    assert {failure.repository for failure in report.failed} == {"team/app3"}
    assert "preparing repository mirror/app3 at the destination" in str(report.failed[0])


async def test_a_plan_that_fails_ends_the_run_with_its_error(
    source: MemoryAdapter, destination: MemoryAdapter
) -> None:
    source.registry.faults["catalog"] = [unreachable()]
    async with asyncio.timeout(5):
        with pytest.raises(PlanningFailed):
            await run(source, destination, POLICY)


async def test_a_speed_limit_slows_a_transfer(destination: MemoryAdapter) -> None:
    registry = MemoryRegistry()
    registry.repository("a/b").put_image("v1", layers=(bytes(32 * 1024),))
    started = asyncio.get_running_loop().time()
    await run(MemoryAdapter(registry), destination, replace(POLICY, speed_kilobits=512))
    # half a second at 64 KiB/s, less the burst of a quarter
    assert asyncio.get_running_loop().time() - started > 0.2


async def test_a_name_filter_with_a_list_copies_just_these(
    source: MemoryAdapter, destination: MemoryAdapter
) -> None:
    names = Filter(kind=FilterKind.NAME, pattern="team/{app1,app2}")
    report = await run(source, destination, replace(POLICY, filters=(names,)))
    assert report.transfers_copied == 10
    assert set(destination.registry.repositories) == {"mirror/app1", "mirror/app2"}
