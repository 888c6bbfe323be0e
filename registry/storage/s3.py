"""Objects in a bucket of S3 or of what speaks like it: `<prefix>/objects/<2 hex>/<key>`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

from registry.errors import ObjectMissing, RegistryStorageError
from registry.storage import bucket
from registry.storage.address import Address
from registry.storage.bucket import Bucket, CallUnknown
from registry.storage.driver import ListedObject, ListedPartial, Redirect, Undeleted
from registry.storage.s3_partial import S3Partial
from registry.storage.s3_reading import S3Reading
from registry.stored_object import StoredObject

REDIRECT_SECONDS: Final = 1200
_PARTS_AT_ONCE: Final = 16
_DELETES_AT_ONCE: Final = 16
DELETES_BY_CALL: Final = 1000


class S3Storage:
    """A bucket, or what is under a prefix of it, that no other installation writes to."""

    locks = False
    provider = "s3"

    def __init__(self, bucket: Bucket, *, prefix: str, redirects: bool) -> None:
        self._bucket = bucket
        self._root = f"{prefix}/objects/".lstrip("/")
        self._redirects = redirects
        self._slots = asyncio.Semaphore(_PARTS_AT_ONCE)
        self._deletes = asyncio.Semaphore(_DELETES_AT_ONCE)
        self._deletes_together = True

    @property
    def bucket(self) -> Bucket:
        """Where it is."""
        return self._bucket

    async def check(self) -> None:
        """Ask for the bucket."""
        await self._bucket.call("head_bucket")

    async def room(self) -> None:
        """A bucket has no limit that could be asked for."""

    async def open_partial(self, upload: UUID) -> S3Partial:
        """Begin with nothing; the upload's row says how far it is."""
        del upload
        return S3Partial(self._bucket, self.path, self._slots)

    def path(self, key: UUID) -> str:
        """Return the name of an object in the bucket."""
        return f"{self._root}{key.hex[:2]}/{key.hex}"

    def _place(self, stored: StoredObject) -> str:
        return stored.adopted_path or self.path(stored.key)

    @contextlib.asynccontextmanager
    async def read(
        self, stored: StoredObject, *, offset_bytes: int = 0, length_bytes: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an object."""
        end = None if length_bytes is None else offset_bytes + length_bytes
        reading = S3Reading(
            self._bucket, self._place(stored), offset_bytes=offset_bytes, end_bytes=end
        )
        await reading.open()
        try:
            yield reading.chunks()
        finally:
            reading.close()

    async def sending(self, stored: StoredObject) -> Redirect | None:
        """Send the client to S3 itself, unless all downloads go through here."""
        if not self._redirects:
            return None
        url = await self._bucket.address_of(self._place(stored), seconds=REDIRECT_SECONDS)
        return Redirect(url=url)

    async def size_bytes(self, stored: StoredObject) -> int:
        """Ask for the object's head."""
        answer = await self._bucket.call("head_object", self._place(stored))
        found: int = answer["ContentLength"]
        return found

    async def objects(self, *, after: UUID | None, limit: int) -> Sequence[ListedObject]:
        """List the bucket from a name on."""
        found: list[ListedObject] = []
        start = self.path(after) if after else ""
        while len(found) < limit:
            answer = await self._bucket.call(
                "list_objects_v2",
                Prefix=self._root,
                MaxKeys=min(limit - len(found), 1000),
                **({"StartAfter": start} if start else {}),
            )
            for entry in answer.get("Contents", ()):
                start = entry["Key"]
                if (key := self._key(start)) is not None:
                    found.append(
                        ListedObject(
                            key=key, size_bytes=entry["Size"], written_at=entry["LastModified"]
                        )
                    )
            if not answer.get("IsTruncated"):
                break
        return found

    def _key(self, path: str) -> UUID | None:
        """Return the key that a name of ours holds; None for what is not ours."""
        try:
            key = UUID(hex=path.rpartition("/")[2])
        except ValueError:
            return None
        return key if self.path(key) == path else None

    async def delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        """Delete a thousand by a call; one by one where the store has no such call."""
        undeleted: list[Undeleted] = []
        for start in range(0, len(objects), DELETES_BY_CALL):
            undeleted += await self._delete(objects[start : start + DELETES_BY_CALL])
        return undeleted

    async def _delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        if self._deletes_together and len(objects) > 1:
            by_path = {self._place(stored): stored for stored in objects}
            try:
                refused = await self._bucket.delete(list(by_path))
            except CallUnknown:
                self._deletes_together = False
            except RegistryStorageError as error:
                return [Undeleted(stored=stored, words=str(error)) for stored in objects]
            else:
                return [
                    Undeleted(stored=by_path[path], words=words) for path, words in refused.items()
                ]
        async with asyncio.TaskGroup() as group:
            trying = [group.create_task(self._delete_one(stored)) for stored in objects]
        return [found for one in trying if (found := one.result()) is not None]

    async def _delete_one(self, stored: StoredObject) -> Undeleted | None:
        async with self._deletes:
            try:
                await self._bucket.call("delete_object", self._place(stored))
            except ObjectMissing:
                return None
            except RegistryStorageError as error:
                return Undeleted(stored=stored, words=str(error))
        return None

    async def discard_partial(self, upload: UUID, key: UUID, state: bytes | None) -> None:
        """End every multipart upload to the key: also those that a crash kept out of the state."""
        del upload, state
        path = self.path(key)
        async for page in self._bucket.multiparts(path):
            for entry in page:
                await self._bucket.abort(path, entry["UploadId"])

    async def partials(self) -> AsyncIterator[Sequence[ListedPartial]]:
        """Yield the multipart uploads under way."""
        async for page in self._bucket.multiparts(self._root):
            yield [
                ListedPartial(name=key, handle=entry["UploadId"], touched_at=entry["Initiated"])
                for entry in page
                if (key := self._key(entry["Key"])) is not None
            ]

    async def delete_partial(self, partial: ListedPartial) -> None:
        """End a multipart upload."""
        await self._bucket.abort(self.path(partial.name), partial.handle)


@contextlib.asynccontextmanager
async def opened(address: Address, *, redirects: bool) -> AsyncIterator[S3Storage]:
    """Open a bucket as a storage."""
    async with bucket.opened(address) as opened_bucket:
        yield S3Storage(opened_bucket, prefix=address.prefix, redirects=redirects)
