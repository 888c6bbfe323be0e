"""One object of a bucket, being read; a connection that breaks is made again where it broke."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import ClientError
from botocore.exceptions import BotoCoreError

from registry.errors import StorageUnavailable
from registry.storage.bucket import Bucket

READ_BYTES: Final = 256 * 1024
TRIES: Final = 5


class S3Reading:
    """The bytes of an object from `offset_bytes` up to `end_bytes`, or to its end."""

    def __init__(
        self, bucket: Bucket, path: str, *, offset_bytes: int = 0, end_bytes: int | None = None
    ) -> None:
        self._bucket = bucket
        self._path = path
        self._offset = offset_bytes
        self._end = end_bytes
        self._body: Any = None

    async def open(self) -> None:
        """Ask for them; raise ObjectMissing."""
        if self._end is not None and self._offset >= self._end:
            return
        last = "" if self._end is None else self._end - 1
        wanted = {"Range": f"bytes={self._offset}-{last}"} if self._offset or self._end else {}
        answer = await self._bucket.call("get_object", self._path, **wanted)
        self._body = answer["Body"]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield them."""
        tries = 1
        while self._body is not None:
            try:
                while chunk := await self._body.read(READ_BYTES):
                    self._offset += len(chunk)
                    yield chunk
            except (ClientError, BotoCoreError, OSError) as error:
                if tries == TRIES:
                    text = f"get_object of {self._path} broke off {tries} times: {error}"
                    raise StorageUnavailable(text) from error
                tries += 1
                self.close()
                await self.open()
            else:
                return

    def close(self) -> None:
        """Let go of the connection."""
        if self._body is not None:
            self._body.close()
            self._body = None
