"""What this registry asks of a storage: objects under opaque keys, written once.

Bytes go into a *partial* object, named by its upload, which one request at a time may hold open.
`publish` makes it durable under its final key; only then may a row name it. Any method may raise
StorageUnavailable, which names the operation and the key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

from protocol.digest import Algorithm, Digest
from registry.stored_object import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """An object is sent from this file, by sendfile."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """An object is fetched by the client itself, from this address; it holds a short-lived key."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How much fits into a storage that has a limit."""

    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """An object as a listing shows it; `written_at` is by the storage's clock."""

    key: UUID
    size_bytes: int
    written_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPartial:
    """A partial object as a listing shows it.

    `name` is the id of its upload, or the key it would have been published under; `handle` is the
    driver's own and together with `name` leads to it.
    """

    name: UUID
    handle: str
    touched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Undeleted:
    """An object that could not be deleted, and why, in the storage's words."""

    stored: StoredObject
    words: str


class Partial(Protocol):
    """An object being written, held by this request alone until `close`.

    `resume` comes first; then bytes are written in order, from the offset that was given to it.
    """

    async def resume(self, key: UUID, *, offset_bytes: int, state: bytes | None) -> None:
        """Go on at an offset with the state that `sync` returned there; to become object `key`.

        Raise PartialLost if its bytes are not there.
        """
        ...

    async def write(
        self, chunks: Sequence[bytes], *, offset_bytes: int, alongside: Callable[[bytes], object]
    ) -> None:
        """Write chunks at an offset, and hand each to `alongside` where it costs the loop nothing.

        May return before it is done; the next call or `settle` waits. Raise StorageFull.
        """
        ...

    async def settle(self) -> None:
        """Wait for what `write` began. Raise StorageFull."""
        ...

    async def sync(self) -> bytes | None:
        """Make what was written outlive a crash; return what `resume` will need, on any node.

        Raise StorageFull.
        """
        ...

    async def digest(self, algorithm: Algorithm, size_bytes: int) -> Digest:
        """Hash the first `size_bytes` bytes again; only `publish` or `discard` may follow."""
        ...

    async def publish(self, size_bytes: int, digest: Digest | None) -> None:
        """Make the first `size_bytes` bytes durable under the key. Raise StorageFull.

        `digest`, if known, is for a driver that cannot be sure what an earlier try made of them.
        """
        ...

    async def discard(self) -> None:
        """Remove it; nothing happens if it is gone."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class Storage(Protocol):
    """Where objects are. A key is never used again.

    `locks`: whoever has a partial open holds it, in all processes, and its death lets go. Without,
    callers hold an upload by a lease in its row.
    """

    @property
    def locks(self) -> bool:
        """Whether `open_partial` locks."""
        ...

    @property
    def provider(self) -> str:
        """What kind of storage it is, in Harbor's words."""
        ...

    async def check(self) -> None:
        """Return if the storage answers; raise StorageUnavailable."""
        ...

    async def room(self) -> Room | None:
        """Return how much room there is; None where there is no limit."""
        ...

    async def open_partial(self, upload: UUID) -> Partial:
        """Hold the partial object of an upload, created if need be. Raise StorageBusy."""
        ...

    def read(
        self, stored: StoredObject, *, offset_bytes: int = 0, length_bytes: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an object at an offset, to its end or for a length. Raise ObjectMissing."""
        ...

    async def sending(self, stored: StoredObject) -> LocalFile | Redirect | None:
        """Say how a client gets an object; None: from `read`. May raise ObjectMissing."""
        ...

    async def size_bytes(self, stored: StoredObject) -> int:
        """Return how large an object is. Raise ObjectMissing."""
        ...

    async def objects(self, *, after: UUID | None, limit: int) -> Sequence[ListedObject]:
        """Return up to `limit` objects whose keys follow `after`, by key; fewer only at the end.

        Adopted objects are not among them.
        """
        ...

    async def delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        """Remove objects, and return those that could not be; those that are gone are fine.

        What is wrong with one, or with all, is returned and keeps no other from going.
        """
        ...

    async def discard_partial(self, upload: UUID, key: UUID, state: bytes | None) -> None:
        """Remove what an abandoned upload left."""
        ...

    def partials(self) -> AsyncIterator[Sequence[ListedPartial]]:
        """Yield all partial objects, page by page."""
        ...

    async def delete_partial(self, partial: ListedPartial) -> None:
        """Remove a partial object that was listed; nothing happens if it is gone."""
        ...
