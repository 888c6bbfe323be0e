"""Uploads: bytes in order into a partial object, hashed on the way, then a blob."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Final

from database.pool import Database
from protocol.digest import Algorithm, Digest
from protocol.errors import DigestMismatch, HashStateUnavailable
from protocol.hashing import Hasher, HashState
from registry import upload_hold
from registry.admission import Admission
from registry.errors import RegistryStorageError, StorageBusy, StorageFull, code_of, refusal
from registry.metadata import blobs, uploads
from registry.storage.driver import Partial, Storage
from registry.upload_hold import Hold

SAVE_BYTES: Final = 128 * 1024 * 1024  # what a killed process may lose of an upload
_OPERATION: Final = "upload blob"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadStore:
    """The uploads of one repository."""

    database: Database
    storage: Storage
    repository: str
    admission: Admission

    @contextlib.asynccontextmanager
    async def open(self, upload_id: uuid.UUID) -> AsyncIterator[OpenUpload]:
        """Hold an upload, alone; progress is saved at the end.

        Raise a refusal BLOB_UPLOAD_UNKNOWN, BLOB_UPLOAD_INVALID, RANGE_INVALID (busy), DENIED
        (storage full, read only) or UNAVAILABLE.
        """
        await self.admission.want_change(_OPERATION, self.repository)
        async with self._held(upload_id) as (hold, partial):
            if hold.row is None:
                await partial.discard()
                raise self.unknown(upload_id)
            await partial.resume(
                hold.row.storage_key,
                offset_bytes=hold.row.offset_bytes,
                state=hold.row.partial_state,
            )
            opened = OpenUpload(self, hold.row, hold, partial)
            try:
                async with opened.saving():
                    yield opened
            except StorageFull:
                await opened.drop()  # its bytes are the first to give back
                raise

    async def offset(self, upload_id: uuid.UUID) -> int:
        """Return how many bytes an upload holds; raise a refusal BLOB_UPLOAD_UNKNOWN."""
        async with self.database.connection() as connection:
            row = await uploads.get(connection, upload_id, repository=self.repository)
        if row is None:
            raise self.unknown(upload_id)
        return row.offset_bytes

    async def cancel(self, upload_id: uuid.UUID) -> bool:
        """End an upload without a blob; say whether it was there."""
        await self.admission.want_change("cancel upload", self.repository)
        async with self._held(upload_id) as (hold, partial):
            if hold.row is None:
                await partial.discard()
                return False
            async with self.database.connection() as connection:
                cancelled = await uploads.cancel(
                    connection, upload_id, repository=self.repository, token=hold.token
                )
            if cancelled:  # else it is somebody else's by now
                await self.storage.discard_partial(
                    upload_id, hold.row.storage_key, hold.row.partial_state
                )
        return cancelled

    @contextlib.asynccontextmanager
    async def _held(self, upload_id: uuid.UUID) -> AsyncIterator[tuple[Hold, Partial]]:
        with self._refusing():
            partial = await self.storage.open_partial(upload_id)
            try:
                how = upload_hold.locked if self.storage.locks else upload_hold.leased
                async with how(self.database, upload_id, self.repository) as hold:
                    yield hold, partial
            finally:
                await partial.close()

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except RegistryStorageError as error:
            raise self._refuse(code_of(error), str(error)) from error

    def unknown(self, upload_id: uuid.UUID | str) -> Exception:
        """Return the refusal of an upload that is not there."""
        return self._refuse("BLOB_UPLOAD_UNKNOWN", f"upload {upload_id} is not known")

    def _refuse(self, code: str, message: str) -> Exception:
        return refusal(code, message, operation=_OPERATION, repository=self.repository)


class OpenUpload:
    """An upload that this request holds."""

    def __init__(
        self, store: UploadStore, row: uploads.Upload, hold: Hold, partial: Partial
    ) -> None:
        self._store = store
        self._row = row
        self._hold = hold
        self._partial = partial
        self._hasher = _hasher(row)
        self._ended = False
        self._sound = True  # what `offset_bytes` counts is written and hashed
        self.offset_bytes = self._saved_bytes = row.offset_bytes

    async def append(self, chunks: AsyncIterator[bytes]) -> None:
        """Append everything; what arrived before an error counts. Raise a refusal DENIED (full).

        Storage that fills up meanwhile raises StorageFull: one blob may be larger than the reserve.
        """
        await self._store.admission.want_bytes(_OPERATION, self._store.repository)
        with self._store.admission.portions.upload():
            await self._append(chunks)

    async def _append(self, chunks: AsyncIterator[bytes]) -> None:
        held: list[bytes] = []
        held_bytes = 0
        try:
            async for chunk in chunks:
                held.append(chunk)
                held_bytes += len(chunk)
                if held_bytes >= self._store.admission.portions.portion_bytes:
                    if shortage := await self._store.admission.shortage():
                        raise StorageFull(shortage)
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
        self._hold.check()
        update = self._hasher.update if self._hasher else _ignore
        await self._partial.write(chunks, offset_bytes=self.offset_bytes, alongside=update)
        self.offset_bytes += size_bytes

    async def commit(self, digest: Digest) -> None:
        """Make the bytes a blob of the repository.

        Raise DigestMismatch, which ends the upload, or a refusal BLOB_UPLOAD_UNKNOWN.
        """
        async with self._hold.within():
            actual = await self._digest(digest.algorithm)
        if actual != digest:
            await self.drop()
            raise DigestMismatch(expected=str(digest), actual=str(actual))
        async with self._hold.within():
            await self._partial.publish(self.offset_bytes, digest)
        self._ended = True
        async with self._store.database.connection() as connection:
            committed = await blobs.commit_upload(
                connection, self._row.id, digest, self.offset_bytes, token=self._hold.token
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
        progress = replace(
            self._row,
            offset_bytes=self.offset_bytes,
            hash_state=_saved(self._hasher),
            partial_state=await self._partial.sync(),
        )
        async with self._store.database.connection() as connection:
            if not await uploads.save(connection, progress, token=self._hold.token):
                raise StorageBusy("another request went on with this upload; ask where it stands")
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
        """End the upload without a blob, unless it is somebody else's by now: so are its bytes."""
        self._ended = True
        async with self._store.database.connection() as connection:
            cancelled = await uploads.cancel(
                connection,
                self._row.id,
                repository=self._store.repository,
                token=self._hold.token,
            )
        if cancelled:
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
