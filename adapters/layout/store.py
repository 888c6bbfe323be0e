"""A layout as the content store of one repository."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager

from adapters.layout import faults, threads
from adapters.layout.files import LayoutFiles, StoredBlob
from adapters.layout.index import LayoutIndex
from adapters.layout.manifests import LayoutManifests
from adapters.layout.upload import BlobFileUpload
from protocol import reference
from protocol.content import BlobUpload, Capabilities, ListedArtifact, RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import InvalidReference, SizeMismatch

_PIECE_BYTES = 1024 * 1024
_TAGS_PER_PAGE = 1000


class LayoutStore:
    """Content of one layout. Implements protocol.content.ContentStore over `files`.

    `sibling` opens another repository's layout, to take blobs over from it.
    """

    def __init__(
        self,
        files: LayoutFiles,
        *,
        repository: str,
        sibling: Callable[[str], LayoutFiles] | None = None,
    ) -> None:
        self._files = files
        self._repository = repository
        self._sibling = sibling
        self._manifests = LayoutManifests(files)

    @property
    def repository(self) -> str:
        """The repository that it stands for."""
        return self._repository

    @property
    def capabilities(self) -> Capabilities:
        """What a layout can do."""
        mounts = self._sibling is not None
        return Capabilities(
            mounts=mounts,
            mounts_across_repositories=mounts,
            deletes_tags=True,
            deletes_manifests=True,
        )

    async def resolve(self, name: str) -> Descriptor:
        """Return the descriptor of a tag, a full name or a digest; raise NotFound."""
        return (await self.read_manifest(name)).descriptor

    async def read_manifest(self, name: str) -> RawManifest:
        """Return a manifest, verified; raise NotFound."""
        with self._told("read manifest", name):
            return await threads.finish(self._manifests.read, name)

    @asynccontextmanager
    async def read_blob(
        self, blob: Descriptor, *, offset_bytes: int = 0
    ) -> AsyncGenerator[AsyncIterator[bytes]]:
        """Open a blob at an offset; raise NotFound or SizeMismatch."""
        with self._told("read blob", blob.digest):
            stored = await threads.finish(self._files.open_blob, blob.digest)
        try:
            if stored.size_bytes != blob.size_bytes:
                raise SizeMismatch(expected_bytes=blob.size_bytes, actual_bytes=stored.size_bytes)
            yield self._pieces(stored, blob, offset_bytes)
        finally:
            stored.close()

    async def referrers(self, subject: Digest) -> AsyncIterator[Descriptor]:
        """Yield the listed manifests that name `subject`, and what its fallback tag lists."""
        index = await self._index()
        seen: set[Digest] = set()
        with self._told("list referrers", subject):
            listed = (
                await threads.finish(self._manifests.fallback, subject) if index.entries else ()
            )
            for descriptor in listed:
                seen.add(descriptor.digest)
                yield descriptor
            for entry in index.entries:
                found = await threads.finish(self._manifests.referrer, entry, subject)
                if found is not None and found.digest not in seen:
                    seen.add(found.digest)
                    yield found

    async def tags(self) -> AsyncIterator[Sequence[str]]:
        """Yield the tags page by page, in order."""
        tags = list((await self._index()).tags())
        for start in range(0, len(tags), _TAGS_PER_PAGE):
            yield tags[start : start + _TAGS_PER_PAGE]

    async def artifacts(self) -> list[ListedArtifact]:
        """Return what the layout offers: what is tagged or, where nothing is, whatever it lists.

        What refers to something else is left out: it goes with its subject. Raises NotFound where
        there is no layout.
        """
        with self._told("read", "index.json"):
            index = await threads.finish(self._files.read_index)
        tags: dict[Digest, list[str]] = {}
        for entry in index.roots():
            found = Digest.parse(entry.digest)
            if entry.tag:
                tags.setdefault(found, []).append(entry.tag)
            elif await threads.finish(self._manifests.subject, found) is None:
                tags.setdefault(found, [])
        return [
            ListedArtifact(repository=self._repository, tags=tuple(names), digest=found)
            for found, names in tags.items()
        ]

    async def sole_reference(self) -> str:
        """Return the only artifact's digest; raise InvalidReference when there are others."""
        found = await self.artifacts()
        if len(found) == 1:
            return str(found[0].digest)
        tags = ", ".join(tag for artifact in found for tag in artifact.tags) or "none has one"
        raise InvalidReference(
            f"{self._files.where} holds {len(found)} artifacts; say which one by its tag: {tags}"
        )

    async def has_blob(self, blob: Descriptor) -> bool:
        """Say whether the blob is there in its full size."""
        with self._told("look for blob", blob.digest):
            return await threads.finish(self._has_blob, blob)

    async def begin_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobUpload | None:
        """Open an upload; None when the blob is there or could be linked from `mount_from`."""
        with self._told("begin blob", blob.digest):
            return await threads.finish(self._begin_blob, blob, mount_from)

    async def write_manifest(self, manifest: RawManifest, *, tag: str | None = None) -> None:
        """Keep a manifest and list it, under a tag if it has one; raise DigestMismatch."""
        if tag is not None:
            reference.check_tag(tag)
        manifest.digest.verify(manifest.body)
        with self._told("write manifest", tag or manifest.digest):
            upload = await threads.finish(self._begin_blob, manifest.descriptor, None)
            if upload is not None:
                await upload.send(_once(manifest.body[upload.offset_bytes :]))
            await threads.finish(self._manifests.list, manifest, tag)

    async def delete_manifest(self, digest: Digest) -> None:
        """Remove a manifest and all its tags; its blobs stay, others may share them."""
        with self._told("delete manifest", digest):
            await threads.finish(self._manifests.read, str(digest))
            await threads.finish(self._files.change_index, lambda i: i.without_digest(digest))
            await threads.finish(self._files.remove_blob, digest)

    async def delete_tag(self, tag: str) -> None:
        """Remove one tag; what it pointed to stays listed."""
        with self._told("delete tag", tag):
            if tag not in (await self._index()).tags():
                raise faults.missing("no such tag")
            await threads.finish(self._files.change_index, lambda i: i.without_tag(tag))

    async def _index(self) -> LayoutIndex:
        with self._told("read", "index.json"):
            try:
                return await threads.finish(self._files.read_index)
            except FileNotFoundError:
                return LayoutIndex()

    def _has_blob(self, blob: Descriptor) -> bool:
        try:
            stored = self._files.open_blob(blob.digest)
        except FileNotFoundError:
            return False
        stored.close()
        return stored.size_bytes == blob.size_bytes

    def _begin_blob(self, blob: Descriptor, mount_from: str | None) -> BlobFileUpload | None:
        if self._has_blob(blob):
            return None
        if mount_from not in {None, self._repository} and self._adopts(blob, str(mount_from)):
            return None
        return self._files.begin_upload(blob)

    def _adopts(self, blob: Descriptor, other: str) -> bool:
        return self._sibling is not None and self._files.adopt_blob(blob, self._sibling(other))

    async def _pieces(
        self, stored: StoredBlob, blob: Descriptor, offset_bytes: int
    ) -> AsyncIterator[bytes]:
        with self._told("read blob", blob.digest):
            while piece := await threads.finish(stored.read, offset_bytes, _PIECE_BYTES):
                offset_bytes += len(piece)
                yield piece
        if offset_bytes < blob.size_bytes:
            raise SizeMismatch(expected_bytes=blob.size_bytes, actual_bytes=offset_bytes)

    def _told(self, operation: str, what: object) -> AbstractContextManager[None]:
        return faults.told(operation, f"{self._files.where} {what}")


async def _once(piece: bytes) -> AsyncIterator[bytes]:
    yield piece
