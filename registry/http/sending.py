"""A blob, or a range of it, on its way to a client (RFC 9110, 14)."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from protocol.digest import Digest
from registry.errors import ObjectMissing
from registry.http import pieces
from registry.http.ranges import ByteRange
from registry.metadata.blobs import Blob
from registry.objects import Objects

SMALL_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """What is sent to whom."""

    request: web.Request
    objects: Objects
    blob: Blob
    digest: Digest
    wanted: ByteRange
    headers: dict[str, str]
    silence_seconds: float

    async def from_file(self, path: Path) -> web.StreamResponse:
        """Send from a file: by sendfile, or in one piece where it is small."""
        with self.objects.refusing(self.digest), _open(path, self.blob.size_bytes) as file:
            if self.wanted.length_bytes <= SMALL_BYTES:
                body = await _read(file, self.wanted)
                return web.Response(status=self._status, headers=self._headers(), body=body)
            response = await self._begun()
            transport = self.request.transport
            if transport is None:
                raise ConnectionResetError("the client is gone")
            loop, wanted = asyncio.get_running_loop(), self.wanted
            try:
                await loop.sendfile(transport, file, wanted.offset_bytes, wanted.length_bytes)
            except TimeoutError:
                raise ConnectionResetError("the client reads nothing") from None
        await response.write_eof()
        return response

    async def streamed(self) -> web.StreamResponse:
        """Pass the bytes on as they come from the storage."""
        wanted = self.wanted
        async with self.objects.open(
            self.blob,
            self.digest,
            offset_bytes=wanted.offset_bytes,
            length_bytes=wanted.length_bytes,
        ) as chunks:
            response = await self._begun()
            async for chunk in chunks:
                await response.write(chunk)
        await response.write_eof()
        return response

    @property
    def is_encrypted(self) -> bool:
        """Whether we speak TLS ourselves: then there is no sendfile worth the name."""
        transport = self.request.transport
        return transport is not None and transport.get_extra_info("sslcontext") is not None

    async def _begun(self) -> web.StreamResponse:
        response = web.StreamResponse(status=self._status, headers=self._headers())
        await pieces.begin(
            self.request,
            response,
            length_bytes=self.wanted.length_bytes,
            silence_seconds=self.silence_seconds,
        )
        return response

    @property
    def _status(self) -> int:
        return 206 if self.wanted.is_part else 200

    def _headers(self) -> dict[str, str]:
        if not self.wanted.is_part:
            return self.headers
        first = self.wanted.offset_bytes
        last = first + self.wanted.length_bytes - 1
        return {**self.headers, hdrs.CONTENT_RANGE: f"bytes {first}-{last}/{self.blob.size_bytes}"}


def _open(path: Path, size_bytes: int) -> FileIO:
    """Open an object's file; raise ObjectMissing if it is not there as it was written."""
    try:
        file = FileIO(path)
    except FileNotFoundError:
        raise ObjectMissing(f"{path} is not there") from None
    found_bytes = os.fstat(file.fileno()).st_size
    if found_bytes != size_bytes:
        file.close()
        raise ObjectMissing(f"{path} has {found_bytes} bytes, not {size_bytes}")
    return file


async def _read(file: FileIO, wanted: ByteRange) -> bytes:
    """Read at once what the page cache holds, and in a thread what only the disk does."""
    piece = bytearray(wanted.length_bytes)
    try:
        count = os.preadv(file.fileno(), [piece], wanted.offset_bytes, os.RWF_NOWAIT)
    except OSError:  # not in the cache, or a file system that cannot say
        count = 0
    if count == wanted.length_bytes:
        return bytes(piece)
    return await asyncio.to_thread(
        os.pread, file.fileno(), wanted.length_bytes, wanted.offset_bytes
    )
