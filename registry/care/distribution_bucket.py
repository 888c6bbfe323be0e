"""A CNCF distribution registry's storage in the bucket of ours: its objects are read in place."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Final
from uuid import UUID

from protocol.content import MANIFEST_LIMIT_BYTES
from protocol.digest import Digest
from protocol.errors import InvalidDigest
from registry.care.errors import NotAdoptable, NotAStorage
from registry.care.old_repository import OldRepository, Skipped
from registry.care.old_storage import ROOT, data_path
from registry.errors import ObjectMissing, StorageUnavailable
from registry.metadata.adoptions import Original
from registry.storage.s3 import S3Storage
from registry.stored_object import StoredObject

_LINK: Final = re.compile(
    r"(?P<name>.+)/_manifests/"
    r"(?:revisions/(?P<algorithm>[^/]+)/(?P<encoded>[^/]+)|tags/(?P<tag>[^/]+)/current)/link"
)
_DATA: Final = re.compile(r"(?P<algorithm>[^/]+)/[^/]+/(?P<encoded>[^/]+)/data")
_LINK_LIMIT_BYTES: Final = 256
_LINKS_AT_ONCE: Final = 16


class DistributionBucket:
    """A storage under a prefix of the bucket that this registry keeps its own objects in."""

    def __init__(self, storage: S3Storage, *, bucket: str, prefix: str) -> None:
        """Raise NotAdoptable for another bucket."""
        if bucket != storage.bucket.name:
            raise NotAdoptable(
                f"bucket {bucket} is not the one of this registry, {storage.bucket.name}: objects "
                "are adopted where they lie. Start this registry with TRANSSHIP_STORAGE="
                f"s3://{bucket}/PREFIX, or copy the other storage into {storage.bucket.name} first"
            )
        self._storage = storage
        self._root = f"{prefix}/{ROOT}".lstrip("/")
        self.location = f"s3://{bucket}/{prefix}".rstrip("/")

    async def check(self) -> None:
        """Raise NotAStorage with what was expected."""
        async for page in self._storage.bucket.listed(f"{self._root}/repositories/"):
            if page:
                return
        raise NotAStorage(
            f"{self.location} holds no {ROOT}/repositories: name bucket and `rootdirectory` of "
            "the other registry's configuration"
        )

    async def repositories(self) -> AsyncIterator[OldRepository]:
        """Yield what has links to manifests: those of one repository follow each other."""
        root = f"{self._root}/repositories/"
        links: list[re.Match[str]] = []
        async for page in self._storage.bucket.listed(root):
            for entry in page:
                link = _LINK.fullmatch(entry["Key"].removeprefix(root))
                if link is None:
                    continue
                if links and link["name"] != links[0]["name"]:
                    yield await self._repository(links)
                    links = []
                links.append(link)
        if links:
            yield await self._repository(links)

    async def _repository(self, links: Sequence[re.Match[str]]) -> OldRepository:
        name = links[0]["name"]
        slots = asyncio.Semaphore(_LINKS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            reading = {
                link["tag"]: group.create_task(self._linked(name, link["tag"], slots))
                for link in links
                if link["tag"]
            }
        tags = {tag: task.result() for tag, task in reading.items()}
        skipped = [one for one in tags.values() if isinstance(one, Skipped)]
        return OldRepository(
            name=name,
            revisions=tuple(_digests(links)),
            tags={tag: found for tag, found in tags.items() if isinstance(found, Digest)},
            skipped=tuple(skipped),
        )

    async def _linked(self, name: str, tag: str, slots: asyncio.Semaphore) -> Digest | Skipped:
        path = f"{self._root}/repositories/{name}/_manifests/tags/{tag}/current/link"
        try:
            async with slots:
                text = await self._read(path, _LINK_LIMIT_BYTES)
            return Digest.parse(text.decode(errors="replace").strip())
        except ObjectMissing:
            return Skipped(where=f"{name}:{tag}", reason="the tag has gone meanwhile")
        except InvalidDigest as error:
            return Skipped(where=f"{name}:{tag}", reason=f"its link is broken: {error}")

    async def has_repository(self, name: str) -> bool:
        """Look for its manifests."""
        async for page in self._storage.bucket.listed(
            f"{self._root}/repositories/{name}/_manifests/"
        ):
            return len(page) > 0
        return False

    async def size_bytes(self, digest: Digest) -> int | None:
        """Ask for the object's head."""
        try:
            return await self._storage.size_bytes(_at(self.adopted_path(digest)))
        except ObjectMissing:
            return None

    async def manifest(self, digest: Digest) -> bytes:
        """Read the object."""
        return await self._read(self.adopted_path(digest), MANIFEST_LIMIT_BYTES + 1)

    async def _read(self, path: str, limit_bytes: int) -> bytes:
        stored = _at(path)
        length = min(limit_bytes, await self._storage.size_bytes(stored))
        async with self._storage.read(stored, length_bytes=length) as chunks:
            return b"".join([chunk async for chunk in chunks])

    def adopted_path(self, digest: Digest) -> str:
        """Return the name of the object."""
        return f"{self._root}/{data_path(digest)}"

    async def adopt(self, digest: Digest, key: UUID) -> bool:
        """Leave it where it is: it stays, whatever becomes of the other registry's links."""
        del digest, key
        return True

    async def blobs(self) -> AsyncIterator[Sequence[tuple[Digest, int]]]:
        """Yield the objects page by page."""
        root = f"{self._root}/blobs/"
        async for page in self._storage.bucket.listed(root):
            yield list(_data(root, page))

    async def release(self, original: Original) -> bool:
        """Delete the object, unless it is the one that we read, or ours is not whole."""
        path, ours = self.adopted_path(original.digest), original.ours
        if ours is not None and (ours.adopted_path == path or not await self._whole(original)):
            return False
        for undeleted in await self._storage.delete([_at(path)]):
            raise StorageUnavailable(undeleted.words)
        return True

    async def _whole(self, original: Original) -> bool:
        try:
            ours = original.ours
            return ours is not None and (
                await self._storage.size_bytes(ours) == original.size_bytes
            )
        except ObjectMissing:
            return False


def _at(path: str) -> StoredObject:
    """Name an object by its path alone; the key means nothing."""
    return StoredObject(uuid.UUID(int=0), path)


def _digests(links: Sequence[re.Match[str]]) -> Iterator[Digest]:
    """Yield those revisions whose digests we know."""
    for link in links:
        if link["encoded"]:
            try:
                yield Digest.parse(f"{link['algorithm']}:{link['encoded']}")
            except InvalidDigest:
                continue


def _data(root: str, page: Sequence[Mapping[str, object]]) -> Iterator[tuple[Digest, int]]:
    for entry in page:
        found = _DATA.fullmatch(str(entry["Key"]).removeprefix(root))
        try:
            if found is not None:
                digest = Digest.parse(f"{found['algorithm']}:{found['encoded']}")
                yield digest, int(str(entry["Size"]))
        except InvalidDigest:
            continue
