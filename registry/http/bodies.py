"""Bodies of requests as they come, and never from a client that has fallen silent.

What one client may hold here is bounded: blobs pass by in pieces, and of manifests that are worth
it only a few are held at a time, each for a time that does not depend on its client.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from aiohttp import web

from protocol.content import MANIFEST_LIMIT_BYTES
from protocol.errors import ManifestTooLarge

SILENCE_SECONDS: Final = 60.0
SMALL_BYTES: Final = 256 * 1024
_LARGE_AT_ONCE: Final = 2  # a manifest of 8 MiB takes up to 60 MiB while it is read
_LARGE_SECONDS: Final = 60.0


class ClientSilent(Exception):
    """A client promised more and sends nothing, or far too slowly for what it holds."""


class Bodies:
    """What all requests of one process share when they read."""

    def __init__(self, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._silence_seconds = silence_seconds
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def chunks(self, request: web.Request) -> AsyncIterator[bytes]:
        """Yield what comes; raise ClientSilent."""
        while chunk := await self._next(request):
            yield chunk

    async def _next(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._silence_seconds):
                return await request.content.readany()
        except TimeoutError:
            raise ClientSilent(f"nothing came for {self._silence_seconds:g} s") from None

    @contextlib.asynccontextmanager
    async def manifest(self, request: web.Request) -> AsyncIterator[bytes]:
        """Hold a whole manifest; raise ManifestTooLarge before it is larger than the limit."""
        if (request.content_length or 0) > MANIFEST_LIMIT_BYTES:
            raise ManifestTooLarge(limit_bytes=MANIFEST_LIMIT_BYTES)
        body = bytearray()
        while len(body) < SMALL_BYTES:
            chunk = await self._next(request)
            if not chunk:
                yield bytes(body)
                return
            body += chunk
        async with self._large:
            await self._rest(request, body)
            yield bytes(body)

    async def _rest(self, request: web.Request, body: bytearray) -> None:
        try:
            async with asyncio.timeout(_LARGE_SECONDS):
                while chunk := await self._next(request):
                    body += chunk
                    if len(body) > MANIFEST_LIMIT_BYTES:
                        raise ManifestTooLarge(limit_bytes=MANIFEST_LIMIT_BYTES)
        except TimeoutError:
            raise ClientSilent(f"no whole manifest came within {_LARGE_SECONDS:g} s") from None
