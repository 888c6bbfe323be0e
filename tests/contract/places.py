"""The places that the contract suites run over: one of every kind."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from adapters import oci_layout
from adapters.base import Adapter, AdapterContext, Endpoint
from adapters.docker_registry import DockerRegistryAdapter
from adapters.local import LocalAdapter
from adapters.oci_layout import OciLayoutAdapter
from database.pool import Database
from jobservice.demo import peers
from protocol.content import ContentStore
from protocol.transport import Transport
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.fakes.registry.server import FakeRegistry


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somewhere that content can be kept, empty at first."""

    open: Callable[[str], ContentStore]
    adapter: Adapter | None = None
    sha512: bool = True


def needs_program(name: str) -> str:
    """Return a program's path; skip without it, but fail in CI, which installs it."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":  # noqa: TID251 - the CI says so itself
            pytest.fail(f"{name} is not installed, and CI must run this")
        pytest.skip(f"{name} is not installed")
    return found


def may_use_program(name: str) -> str:
    """Return a program's path, where people or `go install` put it; skip without it, in CI too."""
    found = shutil.which(name) or shutil.which(name, path=str(Path.home() / "go/bin"))
    if found is None:
        pytest.skip(f"{name} is not installed: nothing is known of it here")
    return found


def layout_adapter(url: str, *, roots: Sequence[Path]) -> OciLayoutAdapter:
    """Build the adapter of an endpoint with layouts."""
    context = AdapterContext(
        endpoint=Endpoint(kind="oci-layout", url=url),
        credential=None,
        transport=cast("Any", None),  # layouts talk to nobody
        layout_roots=tuple(roots),
    )
    return OciLayoutAdapter(context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What a place may be built on: an empty folder and an empty, migrated database."""

    folder: Path
    dsn: str


@asynccontextmanager
async def layout_directory(grounds: Grounds) -> AsyncIterator[Place]:
    """Layouts beneath a root, as a server has them."""
    folder = grounds.folder
    root = folder / "layouts"
    await asyncio.to_thread(root.mkdir)
    adapter = layout_adapter(f"oci://{root}", roots=[folder])
    yield Place(open=adapter.content, adapter=adapter)
    await adapter.close()


@asynccontextmanager
async def layout_archive(grounds: Grounds) -> AsyncIterator[Place]:
    """One tar file for each repository, as one-shot commands write them."""
    async with AsyncExitStack() as stack:
        stores = {
            name: await stack.enter_async_context(
                oci_layout.open_archive(
                    grounds.folder / f"{name.replace('/', '-')}.tar", writes=True
                )
            )
            for name in ("mirror/app", "mirror/neighbour", "mirror/nowhere")
        }
        yield Place(open=stores.__getitem__)


@asynccontextmanager
async def fake_registry(_: Grounds) -> AsyncIterator[Place]:
    """The strict registry of the tests, in this process."""
    async with FakeRegistry() as registry, registry_adapter(registry.url) as adapter:
        yield Place(open=adapter.content, adapter=adapter)


@asynccontextmanager
async def debian_registry(grounds: Grounds) -> AsyncIterator[Place]:
    """Debian's docker-registry: distribution 2.8, which knows no referrers API."""
    program = Path(needs_program("docker-registry"))
    async with (
        peers.debian(grounds.folder / "debian", program) as peer,
        registry_adapter(peer.url) as adapter,
    ):
        yield Place(open=adapter.content, adapter=adapter)


@asynccontextmanager
async def this_registry(grounds: Grounds) -> AsyncIterator[Place]:
    """This registry by its one door, without HTTP."""
    database = await Database.connect(grounds.dsn, application_name="contract")
    try:
        storage = FilesystemStorage(grounds.folder)
        context = AdapterContext(
            endpoint=Endpoint(kind="local", url=""),
            credential=None,
            transport=cast("Any", None),  # it talks to nobody
            local_registry=Registry(database, storage),
        )
        adapter = LocalAdapter(context)
        await adapter.prepare("mirror/app")
        yield Place(open=adapter.content, adapter=adapter)
        await adapter.close()
    finally:
        await database.close()


@asynccontextmanager
async def registry_adapter(url: str) -> AsyncIterator[DockerRegistryAdapter]:
    """Open the adapter of a registry with a transport of its own."""
    async with Transport() as transport:
        context = AdapterContext(
            endpoint=Endpoint(kind="docker-registry", url=url),
            credential=None,
            transport=transport,
        )
        adapter = DockerRegistryAdapter(context)
        yield adapter
        await adapter.close()


ADAPTED = {
    "docker-registry": fake_registry,
    "docker-registry-debian": debian_registry,
    "local": this_registry,
    "oci-layout": layout_directory,
}
WITH_DATABASE = frozenset({"local"})
# One-shot commands open archives without an adapter.
KINDS = {**ADAPTED, "oci-archive": layout_archive}
