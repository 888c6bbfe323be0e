"""A source and a destination in memory, and what tests copy between them."""

from __future__ import annotations

import json
from dataclasses import replace

from protocol.content import RawManifest
from protocol.platform import Platform
from replication.context import CopyContext
from replication.copy import copy_transfer
from replication.transfer import Transfer, TransferReport
from tests.fakes.registry.content import Repository
from tests.fakes.stores import MemoryRegistry

BIG = bytes(range(256)) * 64


class Rig:
    """A source and a destination registry with one repository each."""

    def __init__(self) -> None:
        self.source = MemoryRegistry()
        self.destination = MemoryRegistry()
        self.here = self.source.repository("app")
        self.context = CopyContext(retry_seconds=0.001)

    @property
    def there(self) -> Repository:
        return self.destination.repository("mirror/app")

    async def copy(
        self, root: RawManifest, *tags: str, fresh: bool = True, companions: bool = False
    ) -> TransferReport:
        transfer = Transfer(
            source_repository="app",
            destination_repository="mirror/app",
            digest=root.digest,
            tags=tags,
            fresh=fresh,
            companions=None if companions else (),
        )
        return await copy_transfer(
            transfer,
            source=self.source.store("app"),
            destination=self.destination.store("mirror/app"),
            context=self.context,
        )

    def assert_same(self, *roots: RawManifest) -> None:
        for root in roots:
            assert self.there.manifests[str(root.digest)].body == root.body


def platform_index(repository: Repository, tag: str | None = None) -> RawManifest:
    """Two platforms with a config and five layers each, one layer shared (peers.md, case M)."""
    children = []
    for architecture in ("amd64", "arm64"):
        own = [f"{architecture} {number}".encode() for number in range(4)]
        image = repository.put_image(
            layers=(b"shared", *own), config=json.dumps({"architecture": architecture}).encode()
        )
        platform = Platform(os="linux", architecture=architecture)
        children.append(replace(image.descriptor, platform=platform))
    return repository.put_index(tag, children=children)
