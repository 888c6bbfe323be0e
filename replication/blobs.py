"""Bring one blob to the destination: known there? mount it? else stream it, verified and resumable.

Requests for a new blob: POST (which also asks whether it is there, by `mount`), GET, PUT.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextlib import aclosing, suppress

import tenacity

from protocol.content import BlobUpload, ContentSource, ContentStore
from protocol.descriptor import Descriptor
from protocol.errors import (
    Denied,
    NotFound,
    ProtocolError,
    RangeNotSatisfiable,
    Rejected,
    Unauthorized,
    Unavailable,
    Unreachable,
    Unsupported,
    UntrustedCertificate,
)
from replication.context import CopyContext
from replication.errors import CopyFailed, Side, failing
from replication.stream import VerifiedStream
from replication.tally import Settled, Tally

_CANCEL_SECONDS = 1.0
_BACKOFF_LIMIT_SECONDS = 5.0
_UNLISTED = (NotFound, Denied, Rejected, Unauthorized, Unsupported)
_TRANSIENT = (Unreachable, Unavailable, RangeNotSatisfiable)


class BlobCopier:
    """Copies blobs of one transfer; several may be under way at once."""

    def __init__(
        self, source: ContentSource, destination: ContentStore, context: CopyContext, tally: Tally
    ) -> None:
        self._source = source
        self._destination = destination
        self._context = context
        self._memory = context.memory
        self._repository = destination.repository
        self._tally = tally
        self._new: bool | None = None
        self._asking = asyncio.Lock()

    async def copy(self, blob: Descriptor) -> None:
        """Return when the blob is at the destination; raise CopyFailed.

        Of transfers that want the same blob, one uploads it; the others wait and mount it then.
        """
        self._tally.found(blob)
        if self._place(blob) is None:
            async with self._memory.turns.turn(self._turn(blob)):
                if self._place(blob) is None:
                    await self._bring(blob)
                    return
        await self._bring(blob)

    def forget(self, blob: Descriptor) -> None:
        """Stop trusting what is known of a blob in the destination repository."""
        self._memory.forget(self._repository, blob.digest)

    def _turn(self, blob: Descriptor) -> Hashable:
        if self._destination.capabilities.mounts_across_repositories:
            return blob.digest
        return (blob.digest, self._repository)

    def _place(self, blob: Descriptor) -> str | None:
        """Return a repository of the destination from which the blob can be had, this one first."""
        if self._memory.holds(self._repository, blob.digest):
            return self._repository
        if self._destination.capabilities.mounts_across_repositories:
            return self._memory.elsewhere(self._repository, blob.digest)
        return None

    async def _bring(self, blob: Descriptor) -> None:
        place = self._place(blob)
        if place == self._repository:
            self._tally.settled(blob, Settled.SKIPPED)
            return
        upload = await self._begin(blob, mount_from=place)
        if upload is None:
            self._settle(blob, Settled.MOUNTED if place else Settled.SKIPPED)
        else:
            self._settle(blob, await self._upload(blob, upload))

    def _settle(self, blob: Descriptor, how: Settled) -> None:
        self._memory.remember(self._repository, blob.digest)
        self._tally.settled(blob, how)

    async def _begin(self, blob: Descriptor, *, mount_from: str | None) -> BlobUpload | None:
        """Open an upload; None if the blob is there. A failing mount is tried without."""
        async with self._context.limits.destination:
            with failing(Side.DESTINATION, "beginning the upload of blob", self._name(blob)):
                if mount_from is None:
                    return await self._ask(blob)
                try:
                    upload = await self._destination.begin_blob(blob, mount_from=mount_from)
                except (NotFound, Denied, Unsupported, Rejected):
                    self._memory.forget(mount_from, blob.digest)
                    return await self._ask(blob)
                return await self._unless_there(blob, upload)

    async def _ask(self, blob: Descriptor) -> BlobUpload | None:
        """Open an upload unless the blob is in the destination repository; one request will do."""
        mounts = self._destination.capabilities.mounts
        if mounts and self._memory.tells_by_mount is not False:
            upload = await self._destination.begin_blob(blob, mount_from=self._repository)
            if upload is None:
                self._memory.tells_by_mount = True
                return None
            found = await self._unless_there(blob, upload)
            if found is None:
                self._memory.tells_by_mount = False
            return found
        if await self._destination.has_blob(blob):
            return None
        return await self._destination.begin_blob(blob)

    async def _unless_there(self, blob: Descriptor, upload: BlobUpload | None) -> BlobUpload | None:
        """Look for what an opened upload says is not there: some registries ignore mounts.

        Not where one is known to do them, nor in a repository that is new.
        """
        if upload is None or self._memory.tells_by_mount or await self._is_new():
            return upload
        if not await self._destination.has_blob(blob):
            return upload
        await _give_up(upload)
        return None

    async def _is_new(self) -> bool:
        """Say whether the destination repository has no tags; asked for once, if at all."""
        async with self._asking:
            if self._new is None:
                self._new = self._tally.transfer.fresh or await self._has_no_tags()
        return self._new

    async def _has_no_tags(self) -> bool:
        try:
            async for page in self._destination.tags():
                if page:
                    return False
        except _UNLISTED:
            return False
        return True

    async def _upload(self, blob: Descriptor, upload: BlobUpload) -> Settled:
        stream = VerifiedStream(
            self._source,
            blob,
            moved=lambda count_bytes: self._tally.moved(blob, count_bytes),
            bandwidth=self._context.bandwidth,
        )
        try:
            await self._send(blob, upload, stream)
        except CopyFailed as error:
            if self._context.blob_attempts == 1 or not _is_transient(error):
                await _give_up(upload)
                raise
            await self._send_again(blob, upload, stream)
        except BaseException:
            await _give_up(upload)
            raise
        return Settled.COPIED

    async def _send_again(
        self, blob: Descriptor, upload: BlobUpload, stream: VerifiedStream
    ) -> None:
        """Go on from where the destination stands: at once, then a few times more with pauses."""
        session: BlobUpload | None = upload
        try:
            async for attempt in self._attempts():
                with attempt:
                    if session is not None:
                        session = await self._recovered(blob, session)
                    if session is None:
                        return  # committed after all: only its answer was lost
                    await self._send(blob, session, stream)
        except BaseException:
            await _give_up(session)
            raise

    def _attempts(self) -> tenacity.AsyncRetrying:
        return tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self._context.blob_attempts - 1),
            wait=tenacity.wait_random_exponential(
                multiplier=self._context.retry_seconds, max=_BACKOFF_LIMIT_SECONDS
            ),
            retry=tenacity.retry_if_exception(_is_transient),
            reraise=True,
        )

    async def _send(self, blob: Descriptor, upload: BlobUpload, stream: VerifiedStream) -> None:
        """Stream from the source into the upload; blame the side that failed."""
        async with (
            self._context.limits.both(),
            aclosing(stream.chunks(upload.offset_bytes)) as chunks,
        ):
            try:
                await upload.send(chunks)
            except (ProtocolError, OSError) as error:
                at_source = stream.failure is not None
                if _is_muddled(error):
                    await _give_up(upload)
                raise CopyFailed(
                    side=Side.SOURCE if at_source else Side.DESTINATION,
                    operation="reading blob" if at_source else "writing blob",
                    reference=self._name(blob),
                    cause=stream.failure or error,
                ) from error

    async def _recovered(self, blob: Descriptor, upload: BlobUpload) -> BlobUpload | None:
        """Return an upload that stands where the store stands; None if the blob is there by now."""
        async with self._context.limits.destination:
            with failing(Side.DESTINATION, "resuming the upload of blob", self._name(blob)):
                try:
                    await upload.recover()
                except NotFound:
                    return await self._ask(blob)
                return upload

    def _name(self, blob: Descriptor) -> str:
        return f"{self._tally.transfer.source_repository}@{blob.digest}"


def _is_transient(error: BaseException) -> bool:
    """Say whether another try may help. A session that is gone may have been committed."""
    if not isinstance(error, CopyFailed) or isinstance(error.cause, UntrustedCertificate):
        return False
    if error.side is Side.DESTINATION and (
        isinstance(error.cause, NotFound) or _is_muddled(error.cause)
    ):
        return True
    return isinstance(error.cause, _TRANSIENT)


def _is_muddled(error: Exception | None) -> bool:
    """Say whether the destination holds other bytes than ours, which were right: begin anew.

    A PUT that was cut and sent again behind our back appends to what had arrived.
    """
    return isinstance(error, Rejected) and any(
        fault.code in {"DIGEST_INVALID", "SIZE_INVALID"} for fault in error.faults
    )


async def _give_up(upload: BlobUpload | None) -> None:
    """Give a session back, briefly: a stop must not wait for a registry that does not answer."""
    if upload is None:
        return
    with suppress(ProtocolError, OSError, TimeoutError):
        async with asyncio.timeout(_CANCEL_SECONDS):
            await upload.cancel()
