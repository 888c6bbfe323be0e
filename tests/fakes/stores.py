"""Content stores in memory: strict, with counted requests and switches to misbehave."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar, cast

from typing_extensions import override

from adapters.base import Adapter, AdapterContext, AdapterInfo, Page
from protocol import manifest
from protocol.content import BlobUpload, Capabilities, ListedArtifact, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import (
    NotFound,
    ProtocolError,
    RegistryError,
    RegistryFault,
    Rejected,
    SizeMismatch,
    Unreachable,
    Unsupported,
)
from protocol.manifest import Image
from tests.fakes.registry.content import Repository

CHUNK = 1024
Item = TypeVar("Item")


def refusal(
    kind: type[RegistryError], status: int, code: str, message: str = "no"
) -> RegistryError:
    """Make the error of a registry that answers `code`."""
    fault = RegistryFault(code=code, message=message)
    return kind(message, operation="test", url="memory", status=status, faults=(fault,))


def missing(what: str) -> RegistryError:
    """Make a 404."""
    return refusal(NotFound, 404, "MANIFEST_UNKNOWN", f"{what} is not here")


def unreachable() -> Unreachable:
    """Make the error of a cut connection."""
    return Unreachable("connection reset", operation="test", url="memory")


@dataclass(slots=True)
class MemoryRegistry:
    """Repositories, and how they misbehave.

    `faults` maps an operation to errors, one per call (None: no error); `lies` maps a digest to
    the bytes served in its place; `cut_at` cuts the next upload there; `hold` stops blobs in
    the middle; a `credulous` one commits whatever it is sent. `deletes_digests_with_tags`: whoever
    deletes a tag there loses the artifact with all its tags.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    written: list[str] = field(default_factory=list)
    faults: dict[str, list[ProtocolError | OSError | None]] = field(default_factory=dict)
    lies: dict[Digest, bytes] = field(default_factory=dict)
    false_referrers: list[Descriptor] = field(default_factory=list)
    cut_at: list[int] = field(default_factory=list)
    open_uploads: int = 0
    hold: asyncio.Event | None = None
    holding: asyncio.Event = field(default_factory=asyncio.Event)
    credulous: bool = False
    mounts: bool = True
    mounts_across: bool = True
    deletes_tags: bool = True
    deletes_digests_with_tags: bool = False

    def repository(self, name: str) -> Repository:
        """Give a repository; it is made when it is not there."""
        return self.repositories.setdefault(name, Repository(name))

    def store(self, name: str) -> MemoryStore:
        """Give a repository's content store."""
        return MemoryStore(self, name)

    def count(self, operation: str) -> None:
        """Count a request and raise the fault that waits for it."""
        self.requests[operation] += 1
        waiting = self.faults.get(operation)
        fault = waiting.pop(0) if waiting else None
        if fault is not None:
            raise fault


class MemoryStore:
    """One repository as a ContentStore."""

    def __init__(self, registry: MemoryRegistry, name: str) -> None:
        self.registry = registry
        self.name = name

    @property
    def repository(self) -> str:
        return self.name

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            mounts=self.registry.mounts, mounts_across_repositories=self.registry.mounts_across
        )

    @property
    def _held(self) -> Repository:
        return self.registry.repositories.get(self.name, Repository(self.name))

    async def resolve(self, reference: str) -> Descriptor:
        self.registry.count("resolve")
        return self._find(reference).descriptor

    async def read_manifest(self, reference: str) -> RawManifest:
        self.registry.count("read manifest")
        return self._find(reference)

    def _find(self, reference: str) -> RawManifest:
        found = self._held.find(reference)
        if found is None:
            raise missing(f"{self.name} {reference}")
        lie = self.registry.lies.get(found.digest)
        if lie is None:
            return found
        return RawManifest(media_type=found.media_type, digest=found.digest, body=lie)

    @asynccontextmanager
    async def read_blob(
        self, blob: Descriptor, *, offset_bytes: int = 0
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        self.registry.count("read blob")
        content = self.registry.lies.get(blob.digest, self._held.blobs.get(str(blob.digest)))
        if content is None:
            raise missing(str(blob.digest))
        yield self._chunks(content, offset_bytes)

    async def _chunks(self, content: bytes, offset_bytes: int) -> AsyncIterator[bytes]:
        for start in range(offset_bytes, len(content), CHUNK):
            if self.registry.hold is not None and start >= len(content) // 2:
                self.registry.holding.set()
                await self.registry.hold.wait()
            yield content[start : start + CHUNK]

    async def referrers(self, subject: Digest) -> AsyncIterator[Descriptor]:
        self.registry.count("referrers")
        for found in self.registry.false_referrers:
            yield found
        for entry in self._held.referrers(str(subject)):
            yield self._held.manifests[entry["digest"]].descriptor

    async def tags(self) -> AsyncIterator[Sequence[str]]:
        self.registry.count("tags")
        yield sorted(self._held.tags)

    async def has_blob(self, blob: Descriptor) -> bool:
        self.registry.count("has blob")
        return str(blob.digest) in self._held.blobs

    async def begin_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobUpload | None:
        self.registry.count("begin blob")
        origin = self.registry.repositories.get(mount_from or "")
        if origin is not None and str(blob.digest) in origin.blobs:
            held = self.registry.repository(self.name)
            held.blobs[str(blob.digest)] = origin.blobs[str(blob.digest)]
            return None
        return MemoryUpload(self.registry, self.name, blob)

    async def write_manifest(self, raw: RawManifest, *, tag: str | None = None) -> None:
        self.registry.count("write manifest")
        held = self.registry.repository(self.name)
        document = manifest.parse(raw)
        if isinstance(document, Image):
            pieces = [document.config, *(one for one in document.layers if not one.is_foreign)]
            lacking = [one for one in pieces if str(one.digest) not in held.blobs]
        else:
            there = held.manifests.keys() | held.blobs.keys()
            lacking = [one for one in document.manifests if str(one.digest) not in there]
        if lacking:
            raise refusal(Rejected, 404, "MANIFEST_BLOB_UNKNOWN", str(lacking[0].digest))
        held.put_manifest(raw.body, raw.media_type, tag=tag, algorithm=raw.digest.algorithm)
        self.registry.written.append(tag or str(raw.digest))

    async def delete_manifest(self, digest: Digest) -> None:
        self.registry.count("delete_manifest")
        if self._held.manifests.pop(str(digest), None) is None:
            raise missing(str(digest))
        for tag in [tag for tag, named in self._held.tags.items() if named == str(digest)]:
            del self._held.tags[tag]

    async def delete_tag(self, tag: str) -> None:
        self.registry.count("delete_tag")
        if not self.registry.deletes_tags:
            raise refusal(Unsupported, 405, "UNSUPPORTED")
        if tag not in self._held.tags:
            raise missing(tag)
        if self.registry.deletes_digests_with_tags:
            await self.delete_manifest(Digest.parse(self._held.tags[tag]))
        else:
            del self._held.tags[tag]


class MemoryUpload:
    """A strict upload: bytes in order, committed only when length and digest are right."""

    def __init__(self, registry: MemoryRegistry, name: str, blob: Descriptor) -> None:
        self._registry = registry
        self._name = name
        self._blob = blob
        self._received = bytearray()
        self.offset_bytes = 0
        registry.open_uploads += 1

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        self._registry.count("send blob")
        cut = self._registry.cut_at.pop(0) if self._registry.cut_at else None
        del self._received[self.offset_bytes :]
        try:
            async for chunk in chunks:
                self._received += chunk
                if cut is not None and len(self._received) >= cut:
                    del self._received[cut:]
                    raise unreachable()
        except (ProtocolError, OSError) as error:
            raise unreachable() from error  # as aiohttp wraps what a body raises
        if not self._registry.credulous:
            self._check()
        self._registry.repository(self._name).blobs[str(self._blob.digest)] = bytes(self._received)
        self._registry.open_uploads -= 1
        self._registry.count("answer blob")

    def _check(self) -> None:
        if len(self._received) != self._blob.size_bytes:
            raise SizeMismatch(
                expected_bytes=self._blob.size_bytes, actual_bytes=len(self._received)
            )
        self._blob.digest.verify(bytes(self._received))

    async def recover(self) -> int:
        self._registry.count("recover blob")
        self.offset_bytes = len(self._received)
        return self.offset_bytes

    async def cancel(self) -> None:
        self._registry.count("cancel blob")
        self._registry.open_uploads -= 1


class MemoryAdapter(Adapter):
    """A kind of registry whose catalog and listings come in small pages."""

    info = AdapterInfo(kind="memory", description="for tests")

    def __init__(
        self, registry: MemoryRegistry, *, page_size: int = 100, catalog: bool = True
    ) -> None:
        super().__init__(cast("AdapterContext", None))
        self.registry = registry
        self.page_size = page_size
        self.catalog = catalog
        self.prepared: list[str] = []
        self.listing_of: Callable[[Repository], list[ListedArtifact]] = listing

    @override
    async def check(self) -> None:
        self.registry.count("check")

    @override
    async def list_repositories(self, *, cursor: str | None = None) -> Page[str]:
        self.registry.count("catalog")
        if not self.catalog:
            raise refusal(Unsupported, 404, "UNSUPPORTED")
        return self._cut(sorted(self.registry.repositories), cursor)

    @override
    async def list_artifacts(
        self, repository: str, *, cursor: str | None = None
    ) -> Page[ListedArtifact]:
        self.registry.count("list")
        if repository not in self.registry.repositories:
            raise refusal(NotFound, 404, "NAME_UNKNOWN", f"{repository} is not here")
        return self._cut(self.listing_of(self.registry.repositories[repository]), cursor)

    def _cut(self, items: list[Item], cursor: str | None) -> Page[Item]:
        start = int(cursor or 0)
        end = start + self.page_size
        return Page(items=items[start:end], cursor=str(end) if end < len(items) else None)

    @override
    async def prepare(self, repository: str, *, public: bool | None = None) -> None:
        self.prepared.append(repository)

    @override
    def content(self, repository: str) -> MemoryStore:
        return self.registry.store(repository)


def listing(repository: Repository) -> list[ListedArtifact]:
    """List a repository as the distribution API does: tags alone, without digests."""
    return [
        ListedArtifact(repository=repository.name, tags=(tag,)) for tag in sorted(repository.tags)
    ]
