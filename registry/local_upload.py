"""An upload into this registry by somebody inside: protocol.content.BlobUpload."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

from protocol.descriptor import Descriptor
from protocol.errors import SizeMismatch
from registry.uploads import UploadStore


class LocalUpload:
    """One blob on its way in; nothing is visible before its end."""

    def __init__(self, store: UploadStore, upload_id: uuid.UUID, blob: Descriptor) -> None:
        self._store = store
        self._id = upload_id
        self._blob = blob
        self._offset_bytes = 0

    @property
    def offset_bytes(self) -> int:
        """Where the next bytes must start."""
        return self._offset_bytes

    async def send(self, chunks: AsyncIterator[bytes]) -> None:
        """Append the rest and commit; raise SizeMismatch or DigestMismatch."""
        async with self._store.open(self._id) as upload:
            try:
                await upload.append(chunks)
            finally:
                self._offset_bytes = upload.offset_bytes
            if upload.offset_bytes != self._blob.size_bytes:
                await upload.drop()
                raise SizeMismatch(
                    expected_bytes=self._blob.size_bytes, actual_bytes=upload.offset_bytes
                )
            await upload.commit(self._blob.digest)

    async def recover(self) -> int:
        """Return how far it got; raise NotFound if it is gone."""
        self._offset_bytes = await self._store.offset(self._id)
        return self._offset_bytes

    async def cancel(self) -> None:
        """Give the session back."""
        await self._store.cancel(self._id)
