"""The engine over the wire: the real client, the strict fake and its faults (peers.md 2e)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from adapters.base import AdapterContext, Endpoint
from adapters.docker_registry import DockerRegistryAdapter
from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.platform import Platform
from protocol.transport import Transport
from replication.context import CopyContext
from replication.policy import ReplicationPolicy
from replication.run import RunReport, run
from tests.fakes.registry.content import Repository
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry

POLICY = ReplicationPolicy(destination_namespace="mirror", flattening=1)
LAYER = bytes(range(256)) * 1024


class Rig:
    """Two registries over HTTP and an adapter for each."""

    def __init__(
        self, transport: Transport, source: FakeRegistry, destination: FakeRegistry
    ) -> None:
        self.source, self.destination = source, destination
        self._transport = transport

    def adapter(self, registry: FakeRegistry) -> DockerRegistryAdapter:
        endpoint = Endpoint(kind="docker-registry", url=registry.url)
        context = AdapterContext(endpoint=endpoint, credential=None, transport=self._transport)
        return DockerRegistryAdapter(context)

    async def run(self, policy: ReplicationPolicy = POLICY) -> RunReport:
        return await run(
            self.adapter(self.source),
            self.adapter(self.destination),
            policy,
            context=CopyContext(retry_seconds=0.01),
        )

    def assert_mirrored(self) -> None:
        for name, here in self.source.repositories.items():
            there = self.destination.repositories[name.replace("team", "mirror")]
            assert there.tags == here.tags
            assert {d: m.body for d, m in there.manifests.items()} == {
                d: m.body for d, m in here.manifests.items()
            }

    def requests(self) -> int:
        return self.source.requests.count() + self.destination.requests.count()


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(FakeRegistry())
        destination = await stack.enter_async_context(FakeRegistry())
        transport = await stack.enter_async_context(Transport())
        yield Rig(transport, source, destination)


def put_index(repository: Repository, tag: str) -> RawManifest:
    children = []
    for architecture in ("amd64", "arm64"):
        own = [f"{architecture} {number}".encode() for number in range(3)]
        image = repository.put_image(
            layers=(b"shared", LAYER + architecture.encode(), *own),
            config=json.dumps({"architecture": architecture}).encode(),
        )
        platform = Platform(os="linux", architecture=architecture)
        children.append(replace(image.descriptor, platform=platform))
    return repository.put_index(tag, children=children)


async def test_an_index_of_two_platforms_stays_under_53_requests(rig: Rig) -> None:
    put_index(rig.source.repository("team/app"), "v1")
    report = await rig.run()
    assert report.failures == 0
    rig.assert_mirrored()
    assert rig.requests() <= 2 + 46


async def test_without_referrers_it_takes_the_fewest_requests(rig: Rig) -> None:
    put_index(rig.source.repository("team/app"), "v1")
    await rig.run(replace(POLICY, referrers=False))
    rig.assert_mirrored()
    # catalog, tags; HEAD on both sides; per manifest GET and PUT; per blob GET, POST and PUT
    assert rig.requests() == 2 + 2 + 3 * 2 + 11 * 3


async def test_layers_shared_by_repositories_are_fetched_once(rig: Rig) -> None:
    base = [f"base {number}".encode() for number in range(3)]
    for number in range(6):
        own = [f"{number} {layer}".encode() for layer in range(2)]
        rig.source.repository(f"team/app{number}").put_image(
            "v1", layers=(*base, *own), config=b"{%d}" % number
        )
    report = await rig.run()
    rig.assert_mirrored()
    assert rig.source.requests.count("GET", "blob") == 21
    assert report.blobs_mounted == 15


async def test_a_run_with_nothing_to_do_moves_nothing(rig: Rig) -> None:
    for number in range(20):
        rig.source.repository("team/app").put_image(f"v{number}", layers=(b"%d" % number,))
    await rig.run()
    rig.source.requests.clear()
    rig.destination.requests.clear()
    report = await rig.run()
    assert report.transfers_copied == 0
    assert rig.requests() <= 3 * 20 + 4
    pulled = [
        path
        for method, kind, path in rig.source.requests.seen
        if (method, kind) == ("GET", "manifest")
    ]
    assert not [path for path in pulled if "sha256-" not in path]  # the fallback tag is asked once
    assert rig.destination.requests.count("PUT") == rig.destination.requests.count("POST") == 0


@pytest.mark.parametrize("api_at", ["both", "source", "destination", "none"])
async def test_referrers_arrive_whatever_way_a_registry_keeps_them(rig: Rig, api_at: str) -> None:
    rig.source.habits.referrers_api = api_at in {"both", "source"}
    rig.destination.habits.referrers_api = api_at in {"both", "destination"}
    here = rig.source.repository("team/app")
    root = put_index(here, "v1")
    signature = here.put_artifact(subject=root.descriptor)
    if not rig.source.habits.referrers_api:
        fallback = here.put_index(children=[signature.descriptor])
        here.tags[str(root.digest).replace(":", "-")] = str(fallback.digest)
    report = await rig.run()
    assert report.failures == 0
    there = rig.destination.repository("mirror/app")
    assert there.manifests[str(signature.digest)].body == signature.body
    assert there.tags["v1"] == str(root.digest)


def fault(side: str, method: str, kind: str, **more: object) -> Callable[[Rig], None]:
    def add(rig: Rig) -> None:
        registry = rig.source if side == "source" else rig.destination
        registry.faults.add(Fault(method=method, kind=kind, **more))  # type: ignore[arg-type]

    return add


@pytest.mark.parametrize(
    "misbehave",
    [
        pytest.param(
            fault("source", "GET", "manifest", status=429, headers={"Retry-After": "0"}),
            id="429 on a manifest",
        ),
        pytest.param(
            fault("source", "GET", "blob", status=429, headers={"Retry-After": "0"}, times=3),
            id="three 429 on blobs",
        ),
        pytest.param(fault("source", "GET", "blob", status=503), id="503 on a blob"),
        pytest.param(fault("source", "GET", "blob", reset_after_bytes=3), id="body cut"),
        pytest.param(
            fault("destination", "POST", "upload", status=429, headers={"Retry-After": "0"}),
            id="429 on an upload",
        ),
        pytest.param(
            fault("destination", "PUT", "manifest", status=429, headers={"Retry-After": "0"}),
            id="429 on a manifest put",
        ),
        pytest.param(fault("destination", "PUT", "upload", status=500), id="500 on a blob"),
        pytest.param(fault("destination", "PUT", "manifest", status=502), id="502 on a manifest"),
        pytest.param(
            fault("destination", "PUT", "upload", reset_request_after_bytes=2), id="reset"
        ),
        pytest.param(fault("destination", "PUT", "upload", reset_after_commit=True), id="lost 201"),
        pytest.param(
            fault("destination", "HEAD", "manifest", status=403, times=-1), id="HEAD always 403"
        ),
    ],
)
async def test_a_passing_fault_does_not_fail_a_copy(
    rig: Rig, misbehave: Callable[[Rig], None]
) -> None:
    put_index(rig.source.repository("team/app"), "v1")
    misbehave(rig)
    async with asyncio.timeout(20):
        report = await rig.run()
    assert [str(failure) for failure in report.failed] == []
    rig.assert_mirrored()


@pytest.mark.parametrize(
    ("side", "habit", "value"),
    [
        ("source", "content_type_suffix", "; charset=utf-8"),
        ("source", "digest_headers", False),
        ("destination", "digest_headers", False),
        ("source", "redirect_blobs", True),
        ("source", "ranges", False),
        ("destination", "location", "state"),
        ("destination", "location", "absolute"),
        ("destination", "mounts", False),
    ],
)
async def test_a_habit_does_not_fail_a_copy(rig: Rig, side: str, habit: str, value: object) -> None:
    registry = rig.source if side == "source" else rig.destination
    setattr(registry.habits, habit, value)
    put_index(rig.source.repository("team/app"), "v1")
    rig.source.repository("team/other").put_image("v1", layers=(b"shared", LAYER))
    report = await rig.run()
    assert [str(failure) for failure in report.failed] == []
    rig.assert_mirrored()


@pytest.mark.parametrize(
    "lie",
    [
        fault("source", "GET", "blob", flip_bit_at=2, times=-1),
        fault("source", "GET", "blob", reset_after_bytes=0, times=-1),
        fault("source", "GET", "manifest", replace_body=b'{"schemaVersion":2}', times=-1),
    ],
    ids=["flipped bit", "truncated", "other manifest"],
)
async def test_a_lying_source_fails_its_artifact_and_shows_no_tag(
    rig: Rig, lie: Callable[[Rig], None]
) -> None:
    rig.source.repository("team/app").put_image("v1", layers=(b"layer",))
    lie(rig)
    report = await rig.run()
    assert report.failures == 1
    assert "at the source failed" in str(report.failed[0])
    there = rig.destination.repository("mirror/app")
    assert there.tags == {}
    assert str(Digest.of(b"layer")) not in there.blobs or there.manifests == {}


async def test_a_stop_ends_a_copy_in_the_middle_of_a_blob(rig: Rig) -> None:
    rig.source.repository("team/app").put_image("v1", layers=(LAYER,))
    hold = asyncio.Event()
    rig.source.faults.add(Fault(method="GET", kind="blob", times=-1, drip_bytes=1000, hold=hold))
    copying = asyncio.ensure_future(rig.run())
    async with asyncio.timeout(5):
        while not rig.source.requests.count("GET", "blob"):  # noqa: ASYNC110 - the fake gives no signal
            await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
    hold.set()
    assert rig.destination.repository("mirror/app").tags == {}


async def test_a_registry_that_ignores_mounts_is_not_sent_what_it_has(rig: Rig) -> None:
    rig.destination.habits.mounts = False
    source = rig.source.repository("team/app")
    source.put_image("v1", layers=(b"base one", b"base two"), config=b"{1}")
    await rig.run()
    source.put_image("v2", layers=(b"base one", b"base two", b"new"), config=b"{2}")
    rig.source.requests.clear()
    rig.destination.requests.clear()
    report = await rig.run()
    rig.assert_mirrored()
    assert rig.source.requests.count("GET", "blob") == 2
    assert report.blobs_skipped == 2
    assert rig.destination.state.uploads == {}
