"""Nothing that is fenced leaves after a wait in which the work was lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from protocol import fence
from protocol.client.registry import RegistryClient
from protocol.content import RawManifest
from protocol.transport import Transport
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.protocol.connecting import client_of

MANIFEST = ("PUT", "manifest")


class LostError(Exception):
    """What the fence of these tests raises."""


@dataclass(slots=True)
class Work:
    """What is fenced, held until it is lost; implements protocol.gate.Gate."""

    lost: bool = False
    asked: int = 0
    at_gate: Callable[[], Awaitable[None]] | None = None
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    async def confirm(self) -> None:
        self.asked += 1
        if self.lost:
            raise LostError

    async def admit(self) -> None:
        if self.at_gate is not None:
            await self.at_gate()

    async def lose(self) -> None:
        self.lost = True


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def artifact(registry: FakeRegistry) -> RawManifest:
    """A manifest whose parts are in `a/b` of the fake, under no tag."""
    return registry.repository("a/b").put_image()


async def test_what_was_lost_while_the_rate_was_waited_for_is_not_written(
    registry: FakeRegistry, client: RegistryClient, work: Work, artifact: RawManifest
) -> None:
    work.at_gate = work.lose
    client.limit(work)
    with pytest.raises(LostError), fence.fenced(work.confirm):
        await client.repository("a/b").write_manifest(artifact, tag="1")
    assert registry.requests.count() == 0


async def test_what_was_lost_before_a_second_try_is_written_once(
    registry: FakeRegistry, client: RegistryClient, work: Work, artifact: RawManifest
) -> None:
    async def lose_before_the_second() -> None:
        work.lost = registry.requests.count(*MANIFEST) > 0

    registry.faults.answer(*MANIFEST, 503)
    work.at_gate = lose_before_the_second
    client.limit(work)
    with pytest.raises(LostError), fence.fenced(work.confirm):
        await client.repository("a/b").write_manifest(artifact, tag="1")
    assert registry.requests.count(*MANIFEST) == 1
    assert registry.repository("a/b").tags == {}


async def test_what_was_lost_while_a_connection_was_waited_for_is_not_written(
    registry: FakeRegistry, work: Work, artifact: RawManifest
) -> None:
    held = registry.faults.add(Fault(method="HEAD", kind="manifest", hold=asyncio.Event()))
    assert held.hold is not None
    begun = asyncio.Event()

    async def at_gate() -> None:
        begun.set()

    async with Transport(connections_per_host=1) as narrow, client_of(registry.url, narrow) as asks:
        repository = asks.repository("a/b")
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(repository.resolve(str(artifact.digest)))
            await held.reached.wait()
            work.at_gate = at_gate
            asks.limit(work)
            with fence.fenced(work.confirm):
                writing = group.create_task(_written(repository.write_manifest(artifact, tag="1")))
            await begun.wait()
            assert work.asked == 0
            work.lost = True
            held.hold.set()
    assert isinstance(writing.result(), LostError)
    assert registry.requests.count(*MANIFEST) == 0


async def _written(writing: Awaitable[None]) -> Exception | None:
    try:
        await writing
    except LostError as error:
        return error
    return None


async def test_what_was_lost_before_a_redirect_is_followed_goes_no_further(
    registry: FakeRegistry, client: RegistryClient, work: Work, artifact: RawManifest
) -> None:
    elsewhere = {"Location": f"{registry.url}/v2/a/b/manifests/2"}
    registry.faults.add(Fault(method="PUT", kind="manifest", status=307, headers=elsewhere))

    async def once() -> None:
        await work.confirm()
        await work.lose()

    with pytest.raises(LostError), fence.fenced(once):
        await client.repository("a/b").write_manifest(artifact, tag="1")
    assert registry.requests.count(*MANIFEST) == 1


async def test_what_was_lost_is_not_deleted(
    registry: FakeRegistry, client: RegistryClient, work: Work, artifact: RawManifest
) -> None:
    work.lost = True
    repository = client.repository("a/b")
    with pytest.raises(LostError), fence.fenced(work.confirm):
        await repository.delete_tag("1")
    with pytest.raises(LostError), fence.fenced(work.confirm):
        await repository.delete_manifest(artifact.digest)
    assert registry.requests.count("DELETE") == 0


async def test_a_kept_back_request_harms_no_later_one(
    registry: FakeRegistry, client: RegistryClient, work: Work, artifact: RawManifest
) -> None:
    work.lost = True
    repository = client.repository("a/b")
    for _ in range(3):
        with pytest.raises(LostError), fence.fenced(work.confirm):
            await repository.write_manifest(artifact, tag="1")
    await repository.write_manifest(artifact, tag="1")
    assert registry.requests.by_kind() == {MANIFEST: 1}
    assert registry.repository("a/b").tags == {"1": str(artifact.digest)}
