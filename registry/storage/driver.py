"""What this registry asks of a storage: objects under opaque keys, written once.

Bytes go into a *partial* object, named by its upload, which one request at a time may hold open.
`publish` makes it durable under its final key; only then may a row name it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol
from uuid import UUID

from protocol.digest import Algorithm, Digest


class Partial(Protocol):
    """An object being written, held by this request alone until `close`."""

    @property
    def size_bytes(self) -> int:
        """How many bytes it had when it was opened."""
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

    async def sync(self) -> None:
        """Make what was written outlive a crash of the machine. Raise StorageFull."""
        ...

    async def digest(self, algorithm: Algorithm, size_bytes: int) -> Digest:
        """Hash the first `size_bytes` bytes again."""
        ...

    async def publish(self, key: UUID, size_bytes: int) -> None:
        """Make the first `size_bytes` bytes durable under `key`. Raise StorageFull."""
        ...

    async def discard(self) -> None:
        """Remove it; nothing happens if it is gone."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...


class Storage(Protocol):
    """Where objects are. A key is never used again."""

    async def open_partial(self, upload: UUID) -> Partial:
        """Hold the partial object of an upload, created if need be. Raise StorageBusy."""
        ...

    def read(
        self, key: UUID, *, offset_bytes: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open an object at an offset. Raise ObjectMissing."""
        ...

    def local_path(self, key: UUID) -> Path:
        """Return the file that an object can be sent from."""
        ...

    async def delete(self, key: UUID) -> None:
        """Remove an object; nothing happens if it is gone."""
        ...

    async def free_bytes(self) -> int | None:
        """Return how many bytes still fit; None where there is no limit."""
        ...
