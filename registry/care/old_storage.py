"""What an import asks of the storage that it adopts: a CNCF distribution registry's.

    docker/registry/v2/
    ├── blobs/<algorithm>/<2 hex>/<hex>/data
    └── repositories/<name>/_manifests/
        ├── revisions/<algorithm>/<hex>/link
        └── tags/<tag>/current/link

A link holds the digest that it leads to (distribution: registry/storage/paths.go).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol
from uuid import UUID

from protocol.digest import Digest
from registry.care.old_repository import OldRepository
from registry.metadata.adoptions import Original

ROOT: Final = "docker/registry/v2"


def data_path(digest: Digest) -> str:
    """Return where the data of a digest lies beneath ROOT."""
    return f"blobs/{digest.algorithm}/{digest.encoded[:2]}/{digest.encoded}/data"


class OldStorage(Protocol):
    """What an import asks of the storage that it adopts."""

    @property
    def location(self) -> str:
        """Where it is: what its row is known by."""
        ...

    def repositories(self) -> AsyncIterator[OldRepository]:
        """Yield the repositories in the order of their names."""
        ...

    async def has_repository(self, name: str) -> bool:
        """Say whether there is a repository of that name."""
        ...

    async def size_bytes(self, digest: Digest) -> int | None:
        """Return how large the data of a digest is; None if it is not there."""
        ...

    async def manifest(self, digest: Digest) -> bytes:
        """Return a digest's data, cut off behind the limit of manifests. Raise ObjectMissing."""
        ...

    def adopted_path(self, digest: Digest) -> str | None:
        """Return where the data of a digest is read in place; None if it becomes an object."""
        ...

    async def adopt(self, digest: Digest, key: UUID) -> bool:
        """Make the data an object of ours, durably; False if it still needs the original's name.

        Nothing has to be done for what is read in place.
        """
        ...

    def blobs(self) -> AsyncIterator[Sequence[tuple[Digest, int]]]:
        """Yield digest and size of all data, page by page."""
        ...

    async def release(self, original: Original) -> bool:
        """Remove an original whose bytes we have or need no more; False if we still read it."""
        ...
