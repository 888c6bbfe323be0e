"""Uploads: bytes in order into a partial object, hashed on the way, then a blob."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from database.pool import Database
from protocol.digest import Algorithm, Digest
from protocol.errors import DigestMismatch, HashStateUnavailable
from protocol.hashing import Hasher, HashState
from registry.errors import StorageBusy, StorageFull, refusal
from registry.metadata import blobs, uploads
from registry.storage.driver import Partial, Storage

PIECE_BYTES: Final = 1024 * 1024
SAVE_BYTES: Final = 128 * 1024 * 1024  # what a killed process may lose of an upload
_OPERATION: Final = "upload blob"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadStore:
    """The uploads of one repository."""

    database: Database
    storage: Storage
    repository: str

    @contextlib.asynccontextmanager
    async def open(self, upload_id: uuid.UUID) -> AsyncIterator[OpenUpload]:
        """Hold an upload, alone; progress is saved at the end.

        Raise a refusal BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID or RANGE_INVALID (busy).
        """
        partial = await self._partial(upload_id)
        try:
            async with self.database.connection() as connection:
                row = await uploads.get(connection, upload_id, repository=self.repository)
            if row is None:
                await partial.discard()
                raise self.unknown(upload_id)
            if partial.size_bytes < row.offset_bytes:
                raise self._refuse(
                    "BLOB_UPLOAD_INVALID", "the upload's bytes are lost; begin a new upload"
                )
            opened = OpenUpload(self, row, partial)
            try:
                async with opened.saving():
                    yield opened
            except StorageFull as error:
                await opened.drop()  # its bytes are the first to give back
                raise self._refuse("DENIED", str(error)) from error
        finally:
            await partial.close()

    async def offset(self, upload_id: uuid.UUID) -> int:
        """Return how many bytes an upload holds; raise a refusal BLOB_UPLOAD_UNKNOWN."""
        async with self.database.connection() as connection:
            row = await uploads.get(connection, upload_id, repository=self.repository)
        if row is None:
            raise self.unknown(upload_id)
        return row.offset_bytes

    async def cancel(self, upload_id: uuid.UUID) -> bool:
        """End an upload without a blob; say whether it was there."""
        partial = await self._partial(upload_id)
        try:
            async with self.database.connection() as connection:
                cancelled = await uploads.cancel(connection, upload_id, repository=self.repository)
            await partial.discard()
        finally:
            await partial.close()
        return cancelled

    async def _partial(self, upload_id: uuid.UUID) -> Partial:
        try:
            return await self.storage.open_partial(upload_id)
        except StorageBusy as error:
            raise self._refuse("RANGE_INVALID", str(error)) from None
        except StorageFull as error:
            raise self._refuse("DENIED", str(error)) from error

    def unknown(self, upload_id: uuid.UUID | str) -> Exception:
        """Return the refusal of an upload that is not there."""
        return self._refuse("BLOB_UPLOAD_UNKNOWN", f"upload {upload_id} is not known")

    def _refuse(self, code: str, message: str) -> Exception:
        return refusal(code, message, operation=_OPERATION, repository=self.repository)


class OpenUpload:
    """An upload that this request holds."""

    def __init__(self, store: UploadStore, row: uploads.Upload, partial: Partial) -> None:
        self._store = store
        self._row = row
        self._partial = partial
        self._hasher = _hasher(row)
        self._ended = False
        self._sound = True  # what `offset_bytes` counts is written and hashed
        self.offset_bytes = self._saved_bytes = row.offset_bytes

    async def append(self, chunks: AsyncIterator[bytes]) -> None:
        """Append everything; what arrived before an error counts."""
        held: list[bytes] = []
        held_bytes = 0
        try:
            async for chunk in chunks:
                held.append(chunk)
                held_bytes += len(chunk)
                if held_bytes >= PIECE_BYTES:
                    await self._write(held, held_bytes)
                    held, held_bytes = [], 0
                    await self._save_now_and_then()
        finally:
            if held:
                await self._write(held, held_bytes)
            await self._partial.settle()
            self._sound = True

    async def _write(self, chunks: list[bytes], size_bytes: int) -> None:
        self._sound = False
        update = self._hasher.update if self._hasher else _ignore
        await self._partial.write(chunks, offset_bytes=self.offset_bytes, alongside=update)
        self.offset_bytes += size_bytes

    async def commit(self, digest: Digest) -> None:
        """Make the bytes a blob of the repository.

        Raise DigestMismatch, which ends the upload, or a refusal BLOB_UPLOAD_UNKNOWN.
        """
        actual = await self._digest(digest.algorithm)
        if actual != digest:
            await self.drop()
            raise DigestMismatch(expected=str(digest), actual=str(actual))
        await self._partial.publish(self._row.storage_key, self.offset_bytes)
        self._ended = True
        async with self._store.database.connection() as connection:
            committed = await blobs.commit_upload(
                connection, self._row.id, digest, self.offset_bytes
            )
        if not committed:
            raise self._store.unknown(self._row.id)

    @contextlib.asynccontextmanager
    async def saving(self) -> AsyncIterator[None]:
        """Save at the end, however it comes."""
        try:
            yield
        finally:
            await self.save()

    async def save(self) -> None:
        """Remember the progress, for whoever goes on, here or in another process.

        The bytes are made durable first: a saved hash must never speak of bytes that a crash took.
        """
        if self._ended or not self._sound or self.offset_bytes == self._saved_bytes:
            return
        await self._partial.sync()
        async with self._store.database.connection() as connection:
            await uploads.save(
                connection,
                self._row.id,
                offset_bytes=self.offset_bytes,
                hash_state=_saved(self._hasher),
            )
        self._saved_bytes = self.offset_bytes

    async def _save_now_and_then(self) -> None:
        if self.offset_bytes - self._saved_bytes >= SAVE_BYTES:
            await self._partial.settle()
            self._sound = True
            await self.save()

    async def _digest(self, algorithm: Algorithm) -> Digest:
        if self._hasher is not None and self._hasher.algorithm is algorithm:
            return self._hasher.digest()
        return await self._partial.digest(algorithm, self.offset_bytes)

    async def drop(self) -> None:
        """End the upload without a blob."""
        self._ended = True
        async with self._store.database.connection() as connection:
            await uploads.cancel(connection, self._row.id, repository=self._store.repository)
        await self._partial.discard()


def _hasher(row: uploads.Upload) -> Hasher | None:
    """Take the hash up where it was left; None: the stored bytes are hashed at the end."""
    if row.offset_bytes == 0:
        return Hasher(row.algorithm)
    if row.hash_state is None:
        return None
    try:
        hasher = Hasher.restore(HashState.from_bytes(row.hash_state))
    except HashStateUnavailable:
        return None
    return hasher if hasher.bytes_hashed == row.offset_bytes else None


def _saved(hasher: Hasher | None) -> bytes | None:
    try:
        return hasher.save().to_bytes() if hasher else None
    except HashStateUnavailable:
        return None


def _ignore(chunk: bytes) -> None:
    del chunk
