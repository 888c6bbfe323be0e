"""The demo from its beginning to its end: real artifacts go round, and every claim is checked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adapters import oci_layout
from jobservice.demo import artifacts, content, peers
from jobservice.demo.artifacts import Artifact
from jobservice.demo.errors import NotAsPromised
from jobservice.demo.measured import Measured, Step
from jobservice.demo.peers import Peer
from jobservice.demo.service import LOCAL, Route, Service
from protocol.client.registry import RegistryClient
from protocol.content import ContentSource
from protocol.transport import Transport

NAMESPACE = "demo"
THIRD_NAMESPACE = "mirrored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What runs: the instance under demonstration, and the registries before and behind it."""

    house: Peer
    upstream: Peer
    third: Peer
    layouts: Path

    def where_it_is(self) -> str:
        """Say where to look at what is kept running."""
        lines = [f"this registry: {self.house.url}"]
        if self.house.credential is not None:
            lines.append(f"  user admin, password {self.house.credential.password}")
        lines += [f"upstream: {self.upstream.url}", f"third registry: {self.third.url}"]
        return "\n".join([*lines, f"OCI layouts: {self.layouts}"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the demo is played."""

    folder: Path
    program: Path | None
    keep: bool


@asynccontextmanager
async def stage(options: Options, tell: Callable[[str], None]) -> AsyncGenerator[Stage]:
    """Start everything; it ends with the context, unless it is kept."""
    layouts = options.folder / "layouts"
    await asyncio.to_thread(layouts.mkdir)
    async with AsyncExitStack() as stack:
        if options.program is None:
            tell("starting a second instance of this registry as upstream and third place")
            upstream = third = await stack.enter_async_context(
                peers.instance(options.folder / "upstream", keep=options.keep)
            )
        else:
            tell("starting two docker-registry servers as upstream and third place")
            upstream, third = [
                await stack.enter_async_context(
                    peers.debian(options.folder / name, options.program, keep=options.keep)
                )
                for name in ("upstream", "third")
            ]
        tell("starting this registry and its job service, embedded servers included")
        house = await stack.enter_async_context(
            peers.instance(
                options.folder / "house", layout_roots=(options.folder,), keep=options.keep
            )
        )
        yield Stage(house=house, upstream=upstream, third=third, layouts=layouts)


class Story:
    """The acts; `steps` grows with each."""

    def __init__(self, stage: Stage, transport: Transport, tell: Callable[[str], None]) -> None:
        self._stage = stage
        self._transport = transport
        self._tell = tell
        self.steps: list[Step] = []
        self.manifests_compared = 0

    async def make_room(self, upstream: Service) -> None:
        """Make the projects that an instance of this registry wants before anybody pushes."""
        await upstream.add_project(NAMESPACE)
        await upstream.add_project(THIRD_NAMESPACE)

    async def play(self, service: Service) -> None:
        """Mirror, repeat, change one tag; raise DemoFailed for whatever is not as promised."""
        built = await asyncio.to_thread(artifacts.build, NAMESPACE)
        self._note("push to upstream", await self._push(built))
        policies = await self._make_policies(service)
        total_bytes = sum(artifact.size_bytes for artifact in built)
        first = await self._round(service, policies, "{}", total_bytes)
        await self._verify(built)
        _want(all(step.artifacts >= len(built) for step in first), "an artifact was left behind")
        again = await self._round(service, policies, "{}, again", total_bytes)
        _want(not any(step.bytes_copied for step in again), "a repetition moved bytes")
        index, image, chart = built
        newer = artifacts.single_image(image.repository, image.blobs[1], version="1.1")
        pushed = await self._push([newer])
        self._note("push a changed tag", pushed)
        delta = await self._round(service, policies, "{}, changed", total_bytes)
        moved = {step.bytes_copied for step in delta}
        _want(moved == {pushed.bytes_copied}, f"a changed tag moved {moved} bytes, not its own")
        await self._verify([index, newer, chart])

    async def _round(
        self, service: Service, policies: dict[str, int], title: str, total_bytes: int
    ) -> list[Measured]:
        """Run every policy; what did not have to be copied of all there is, was saved."""
        found: list[Measured] = []
        for name, policy in policies.items():
            measured = await service.run(policy)
            saved_bytes = total_bytes - measured.bytes_copied
            found.append(replace(measured, bytes_saved=saved_bytes))
            self._note(title.format(name), found[-1])
        return found

    async def _make_policies(self, service: Service) -> dict[str, int]:
        """Make endpoints and policies through the API; return the policies in their order."""
        upstream = await service.add_endpoint("upstream", self._stage.upstream)
        third = await service.add_endpoint("third-place", self._stage.third)
        layouts = await service.add_layouts("layouts", f"oci://{self._stage.layouts}")
        ways = {
            "mirror in": (upstream, LOCAL, NAMESPACE),
            "to a registry": (LOCAL, third, THIRD_NAMESPACE),
            "to a layout": (LOCAL, layouts, NAMESPACE),
        }
        return {
            name: await service.add_policy(
                Route(
                    name=name.replace(" ", "-").lower(),
                    source=source,
                    destination=destination,
                    namespace=NAMESPACE,
                    destination_namespace=namespace,
                )
            )
            for name, (source, destination, namespace) in ways.items()
        }

    async def _push(self, wanted: list[Artifact]) -> Measured:
        begun = time.monotonic()
        async with self._client(self._stage.upstream) as client:
            sent = [
                await content.push(artifact, client.repository(artifact.repository, writes=True))
                for artifact in wanted
            ]
            return Measured(
                artifacts=len(wanted),
                bytes_copied=sum(sent),
                bytes_saved=sum(artifact.size_bytes for artifact in wanted) - sum(sent),
                requests=client.requests.total(),
                seconds=time.monotonic() - begun,
            )

    async def _verify(self, wanted: list[Artifact]) -> None:
        """Compare every artifact in all three places with the original, byte for byte."""
        self._tell("comparing every manifest, blob and referrer in all three places")
        async with (
            self._client(self._stage.house) as house,
            self._client(self._stage.third) as third,
        ):
            for artifact in wanted:
                moved = artifact.repository.replace(NAMESPACE, THIRD_NAMESPACE, 1)
                places: list[ContentSource] = [
                    house.repository(artifact.repository),
                    third.repository(moved),
                    oci_layout.open_directory(self._stage.layouts / artifact.repository),
                ]
                for place in places:
                    self.manifests_compared += await content.verify(artifact, place)

    def _client(self, peer: Peer) -> RegistryClient:
        return RegistryClient(self._transport, url=peer.url, credential=peer.credential)

    def _note(self, name: str, measured: Measured) -> None:
        self.steps.append(Step(name=name, measured=measured))
        noun = "artifact" if measured.artifacts == 1 else "artifacts"
        self._tell(f"{name}: {measured.artifacts} {noun}, {measured.seconds:.2f} s")


def _want(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - what is claimed
    if not holds:
        raise NotAsPromised(otherwise)
