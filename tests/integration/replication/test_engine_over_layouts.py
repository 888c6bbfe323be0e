"""The engine between kinds: a registry to a layout on disk and out again, byte by byte."""

from __future__ import annotations

from pathlib import Path

from adapters.base import AdapterContext, Endpoint
from adapters.docker_registry import DockerRegistryAdapter
from adapters.oci_layout import OciLayoutAdapter
from protocol.transport import Transport
from replication.plan import SkipReason
from replication.policy import ReplicationPolicy
from replication.run import run
from tests.fakes.copying import platform_index
from tests.fakes.registry.content import Repository
from tests.fakes.registry.server import FakeRegistry


def bodies(repository: Repository) -> dict[str, bytes]:
    return {digest: manifest.body for digest, manifest in repository.manifests.items()}


async def test_what_goes_through_a_layout_comes_out_unchanged(tmp_path: Path) -> None:
    async with FakeRegistry() as first, FakeRegistry() as last, Transport() as transport:

        def registry(fake: FakeRegistry) -> DockerRegistryAdapter:
            endpoint = Endpoint(kind="docker-registry", url=fake.url)
            return DockerRegistryAdapter(
                AdapterContext(endpoint=endpoint, credential=None, transport=transport)
            )

        layout = OciLayoutAdapter(
            AdapterContext(
                endpoint=Endpoint(kind="oci-layout", url=f"oci://{tmp_path}/mirror"),
                credential=None,
                transport=transport,
                layout_roots=(tmp_path,),
            )
        )
        here = first.repository("team/app")
        root = platform_index(here, "v1")
        signature = here.put_artifact(subject=root.descriptor)
        here.put_artifact(subject=signature.descriptor, payload=b"counter")
        here.put_image("v2", layers=(b"shared", b""))
        policy = ReplicationPolicy()

        into = await run(registry(first), layout, policy)
        out = await run(layout, registry(last), policy)

        assert [str(failure) for failure in (*into.failed, *out.failed)] == []
        there = last.repository("team/app")
        assert bodies(there) == bodies(here)
        assert there.tags == here.tags
        again = await run(registry(first), layout, policy)
        assert again.skips.counts[SkipReason.UP_TO_DATE] == 2
        assert again.transfers_copied == 0
