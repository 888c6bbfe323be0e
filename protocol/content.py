"""The contracts that copying needs: a repository's content as something to read and to write.

The HTTP client, this registry and an OCI layout on disk implement them; replication copies from one
to another and knows no kind. A *reference* here is a tag or the text of a digest.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from protocol.descriptor import Descriptor
from protocol.digest import Digest

MANIFEST_LIMIT_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class RawManifest:
    """A manifest's exact bytes; they are never serialised again."""

    media_type: str
    digest: Digest
    body: bytes

    @property
    def descriptor(self) -> Descriptor:
        """Point to it."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size_bytes=len(self.body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a destination can do; copying asks before it relies on it."""

    mounts: bool = False
    mounts_across_repositories: bool = False
    deletes_tags: bool = False
    deletes_manifests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedArtifact:
    """One line of a listing: tags that go together, and their digest where the listing gives it.

    Times are given by kinds whose `AdapterInfo` says so.
    """

    repository: str
    tags: tuple[str, ...] = ()
    digest: Digest | None = None
    pushed_at: datetime | None = None
    pulled_at: datetime | None = None


class BlobUpload(Protocol):
    """An upload under way. Bytes go in order; nothing is visible before `commit`."""

    @property
    def offset_bytes(self) -> int:
        """How many bytes the store holds already: where the next ones must start."""
        ...

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        """Append everything from `offset_bytes` to the blob's end and commit it.

        The store verifies the digest. After an ExchangeError `recover` tells where to go on.
        """
        ...

    async def recover(self) -> int:
        """Ask the store how far it got; return that offset. Raise NotFound if it is gone."""
        ...

    async def cancel(self) -> None:
        """Give the session back; never raises for a store that does not care."""
        ...


class ContentSource(Protocol):
    """A repository's content, to read. Whatever it hands out is verified or raises ContentError."""

    async def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of a tag or digest without its content; raise NotFound."""
        ...

    async def read_manifest(self, reference: str) -> RawManifest:
        """Return the manifest, verified against its digest; raise NotFound."""
        ...

    def read_blob(
        self, blob: Descriptor, *, offset_bytes: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a blob at an offset; interrupted reads are resumed inside.

        Length is checked while it streams (SizeMismatch). Whoever reads from 0 hashes; the
        digest is checked where the bytes arrive.
        """
        ...

    def referrers(self, subject: Digest) -> AsyncIterator[Descriptor]:
        """Yield what refers to `subject`, whatever way the store keeps it."""
        ...

    def tags(self) -> AsyncIterator[Sequence[str]]:
        """Yield the tags page by page; nothing for a repository that is not there."""
        ...


class ContentStore(ContentSource, Protocol):
    """A repository's content, to read and to write."""

    @property
    def repository(self) -> str:
        """The repository's name in this registry."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def has_blob(self, blob: Descriptor) -> bool:
        """Say whether the blob is there."""
        ...

    async def begin_blob(
        self, blob: Descriptor, *, mount_from: str | None = None
    ) -> BlobUpload | None:
        """Open an upload; None when the blob is there now (mounted, or there already).

        `mount_from` names a repository of the same registry that may hold it; naming this very
        repository asks "have you got it?" and opens the session in one request.
        """
        ...

    async def write_manifest(self, manifest: RawManifest, *, tag: str | None = None) -> None:
        """Put a manifest under its digest, or under a tag; the bytes arrive unchanged.

        The referrers of its subject are kept up where the registry does not do so itself.
        """
        ...

    async def delete_manifest(self, digest: Digest) -> None:
        """Remove a manifest and every tag of it; raise NotFound or Unsupported."""
        ...

    async def delete_tag(self, tag: str) -> None:
        """Remove one tag and nothing else; raise NotFound or Unsupported."""
        ...


@runtime_checkable
class Foretelling(Protocol):
    """A store that knows beforehand what it would refuse; what it says when it writes counts."""

    async def want_tags(self, digest: Digest, wanted: Sequence[str]) -> None:
        """Raise what putting these tags to a manifest would raise now, for all that is known."""
        ...
