"""A partial object in S3: a multipart upload straight to the final key, never copied.

What arrives is spooled into a temporary file until it is large enough for a part, so that memory
stays as it is however many uploads there are; parts travel while more arrives. What never becomes
large enough for a part is put whole.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from typing import Final
from uuid import UUID

import structlog

from protocol.digest import Algorithm, Digest
from registry.errors import ObjectMissing, PartialLost, StorageFull, StorageUnavailable
from registry.storage import parts, threads
from registry.storage.bucket import Bucket
from registry.storage.parts import State
from registry.storage.s3_reading import S3Reading
from registry.storage.spool import Spool

log = structlog.get_logger(__name__)

_INLINE_BYTES: Final = 256 * 1024  # less than a thread hop costs, into the page cache
_AT_ONCE: Final = 4  # parts of one upload under way


class S3Partial:
    """An object on its way into a bucket."""

    def __init__(
        self, bucket: Bucket, path_of: Callable[[UUID], str], slots: asyncio.Semaphore
    ) -> None:
        self._bucket = bucket
        self._path_of = path_of
        self._slots = slots
        self._path = ""
        self._multipart = ""
        self._etags: list[str] = []
        self._sent_bytes = 0
        self._spool = Spool()
        self._pending: asyncio.Future[None] | None = None
        self._sending: dict[int, asyncio.Task[str]] = {}
        self._is_published = False

    async def resume(self, key: UUID, *, offset_bytes: int, state: bytes | None) -> None:
        """Take up what another request, perhaps on another node, saved."""
        self._path = self._path_of(key)
        saved = State.from_bytes(state) if state else State()
        if saved.size_bytes != offset_bytes:
            raise PartialLost("the upload's bytes are lost; begin a new upload")
        self._multipart = saved.multipart
        self._etags = list(saved.etags)
        self._sent_bytes = saved.sent_bytes
        if saved.tail:
            await asyncio.to_thread(self._spool.write, [saved.tail])

    async def write(
        self, chunks: Sequence[bytes], *, offset_bytes: int, alongside: Callable[[bytes], object]
    ) -> None:
        """Spool chunks, in a thread unless they are small, and send what makes a part."""
        await self.settle()
        if offset_bytes != self._sent_bytes + self._spool.size_bytes:
            raise PartialLost("the upload does not stand where these bytes begin")
        if sum(map(len, chunks)) <= _INLINE_BYTES:
            self._take(chunks, alongside)
            return
        loop = asyncio.get_running_loop()
        self._pending = loop.run_in_executor(None, self._take, chunks, alongside)

    def _take(self, chunks: Sequence[bytes], alongside: Callable[[bytes], object]) -> None:
        self._spool.write(chunks)
        for chunk in chunks:
            alongside(chunk)

    async def settle(self) -> None:
        """Wait for what is being spooled, and send it if it makes a part."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await threads.finished(pending)
        if self._spool.size_bytes >= parts.wanted_bytes(len(self._etags) + 1):
            await self._send_part()

    async def _send_part(self) -> None:
        """Begin to send what is spooled; it is a part from here on."""
        await self._room_among(_AT_ONCE - 1)
        await self._begin()
        number = len(self._etags) + 1
        spool, self._spool = self._spool, Spool()
        self._etags.append("")
        self._sent_bytes += spool.size_bytes
        sending = asyncio.create_task(self._upload(number, spool))
        sending.add_done_callback(lambda _: spool.close())
        self._sending[number] = sending

    async def _begin(self) -> None:
        if len(self._etags) >= parts.MOST:
            raise StorageFull(
                f"storage full: S3 takes no more than {parts.MOST} parts of one blob; send it in"
                " larger chunks"
            )
        if not self._multipart:
            answer = await self._bucket.call("create_multipart_upload", self._path)
            self._multipart = answer["UploadId"]

    async def _upload(self, number: int, spool: Spool) -> str:
        async with self._slots:
            answer = await self._bucket.call(
                "upload_part",
                self._path,
                UploadId=self._multipart,
                PartNumber=number,
                Body=spool.body(),
                ContentMD5=spool.md5(),
            )
        etag: str = answer["ETag"]
        return etag

    async def _room_among(self, most: int) -> None:
        """Wait until no more than `most` parts are under way; raise what became of the others."""
        while len(self._sending) > most:
            await asyncio.wait(self._sending.values(), return_when=asyncio.FIRST_COMPLETED)
            done = [number for number, task in self._sending.items() if task.done()]
            for number in done:
                self._etags[number - 1] = self._sending.pop(number).result()

    async def sync(self) -> bytes:
        """Wait for the parts under way; what is too small for one goes into the state."""
        await self.settle()
        if self._spool.size_bytes >= parts.SMALLEST_BYTES:
            await self._send_part()
        await self._room_among(0)
        return State(
            multipart=self._multipart,
            etags=tuple(self._etags),
            sent_bytes=self._sent_bytes,
            tail=await asyncio.to_thread(self._spool.read),
        ).to_bytes()

    async def digest(self, algorithm: Algorithm, size_bytes: int) -> Digest:
        """Publish it and read it back: parts cannot be read before they are one object."""
        await self.publish(size_bytes, None)
        return await self._stored_digest(algorithm)

    async def _stored_digest(self, algorithm: Algorithm) -> Digest:
        hashed = hashlib.new(algorithm)
        reading = S3Reading(self._bucket, self._path)
        await reading.open()
        try:
            async for chunk in reading.chunks():
                await asyncio.to_thread(hashed.update, chunk)
        finally:
            reading.close()
        return Digest(algorithm=algorithm, encoded=hashed.hexdigest())

    async def publish(self, size_bytes: int, digest: Digest | None) -> None:
        """Make the parts one object, or put what is spooled whole."""
        await self.settle()
        if self._is_published:
            return
        if self._sent_bytes + self._spool.size_bytes != size_bytes:
            raise PartialLost("the upload has other bytes than it should; begin a new upload")
        if self._multipart:
            await self._complete(size_bytes, digest)
        else:
            await self._bucket.call(
                "put_object", self._path, Body=self._spool.body(), ContentMD5=self._spool.md5()
            )
        self._is_published = True

    async def _complete(self, size_bytes: int, digest: Digest | None) -> None:
        try:
            await self._room_among(0)
            await self._make_one()
        except (PartialLost, StorageUnavailable):
            if not await self._is_there(size_bytes, digest):
                raise

    async def _make_one(self) -> None:
        """Send the last part, which stays in the spool: the next try may have to send it again."""
        etags = list(self._etags)
        if self._spool.size_bytes:
            await self._begin()
            etags.append(await self._upload(len(etags) + 1, self._spool))
        await self._bucket.call(
            "complete_multipart_upload",
            self._path,
            UploadId=self._multipart,
            MultipartUpload={
                "Parts": [{"PartNumber": i, "ETag": etag} for i, etag in enumerate(etags, start=1)]
            },
        )

    async def _is_there(self, size_bytes: int, digest: Digest | None) -> bool:
        """Say whether an earlier try made it an object, though its answer was lost.

        That try may have been another request, with other bytes at the end: they are read again.
        """
        try:
            answer = await self._bucket.call("head_object", self._path)
        except ObjectMissing:
            return False
        if answer["ContentLength"] != size_bytes:
            return False
        return digest is None or await self._stored_digest(digest.algorithm) == digest

    async def discard(self) -> None:
        """Give everything back."""
        await self._stop_sending()
        if self._is_published:
            await self._bucket.call("delete_object", self._path)
        elif self._multipart:
            await self._bucket.abort(self._path, self._multipart)

    async def _stop_sending(self) -> None:
        tasks = list(self._sending.values())
        self._sending.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.info("part_not_sent", path=self._path, reason=str(error))

    async def close(self) -> None:
        """Stop sending; what was not saved is sent again."""
        pending, self._pending = self._pending, None
        if pending is not None:
            await asyncio.wait([pending])
        await self._stop_sending()
        self._spool.close()
