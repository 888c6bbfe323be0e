"""The objects behind one repository's blobs: how their bytes are had."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from protocol.digest import Digest
from registry.errors import ObjectMissing, RegistryStorageError, code_of, refusal
from registry.metadata.blobs import Blob
from registry.storage.driver import LocalFile, Redirect, Storage

_OPERATION = "read blob"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What the storage has for the blobs of a repository."""

    storage: Storage
    repository: str

    @contextlib.asynccontextmanager
    async def open(
        self, blob: Blob, digest: Digest, *, offset_bytes: int = 0, length_bytes: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a blob that was found; raise a refusal UNAVAILABLE."""
        length = blob.size_bytes - offset_bytes if length_bytes is None else length_bytes
        with self.refusing(digest):
            async with self.storage.read(
                blob.stored, offset_bytes=offset_bytes, length_bytes=length
            ) as chunks:
                yield chunks

    async def sending(self, blob: Blob, digest: Digest) -> LocalFile | Redirect | None:
        """Say how a client gets a blob that was found; None: from `open`."""
        with self.refusing(digest):
            return await self.storage.sending(blob.stored)

    @contextlib.contextmanager
    def refusing(self, digest: Digest) -> Iterator[None]:
        """Turn what the storage raises into a refusal."""
        try:
            yield
        except RegistryStorageError as error:
            message = self._lost(digest) if isinstance(error, ObjectMissing) else str(error)
            raise refusal(
                code_of(error), message, operation=_OPERATION, repository=self.repository
            ) from error

    def _lost(self, digest: Digest) -> str:
        return (
            f"{digest} of {self.repository} is recorded and its bytes are not in the storage:"
            " restore the storage, or look at what it is mounted from"
        )
