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
from registry.errors import refusal
from registry.portions import Portions

SILENCE_SECONDS: Final = 60.0
SMALL_BYTES: Final = 256 * 1024
_LARGE_AT_ONCE: Final = 2
_LARGE_SECONDS: Final = 60.0
# Of a transport of asyncio's own loop: how much it asks a socket for. A gibibyte in pieces of 2 MiB
# instead of its 256 KiB costs a quarter less; one that has TLS takes what is in a record.
_RECEIVES: Final = "max_size"


class ClientSilent(Exception):
    """A client promised more and sends nothing, or far too slowly for what it holds."""


class Bodies:
    """What all requests of one process share when they read."""

    def __init__(self, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        self.silence_seconds = silence_seconds
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        # Whoever makes a list that may be large holds this, and nobody who only sends one.
        self.lists = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def chunks(self, request: web.Request, portions: Portions) -> AsyncIterator[bytes]:
        """Yield what comes, much at once; raise ClientSilent, or a refusal SIZE_INVALID."""
        usual_bytes = getattr(request.transport, _RECEIVES, None)
        try:
            while chunk := await self._next(request):
                yield chunk
                _receive(request, usual_bytes and max(SMALL_BYTES, portions.portion_bytes))
        finally:
            _receive(request, usual_bytes)

    async def _next(self, request: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self.silence_seconds):
                return await request.content.readany()
        except web.RequestPayloadError as error:
            message = "the body is not what its headers say, or does not end"
            raise refusal("SIZE_INVALID", message, operation=request.method) from error
        except TimeoutError:
            raise ClientSilent(f"nothing came for {self.silence_seconds:g} s") from None

    @contextlib.asynccontextmanager
    async def manifest(self, request: web.Request) -> AsyncIterator[bytes]:
        """Hold a whole manifest; raise ManifestTooLarge before it is larger than the limit."""
        if (request.content_length or 0) > MANIFEST_LIMIT_BYTES:
            raise ManifestTooLarge(limit_bytes=MANIFEST_LIMIT_BYTES)
        pieces: list[bytes] = []
        if await self._read(request, pieces, SMALL_BYTES):
            yield b"".join(pieces)
            return
        async with self._large:
            await self._rest(request, pieces)
            yield _joined(pieces)

    async def _read(self, request: web.Request, pieces: list[bytes], limit_bytes: int) -> bool:
        """Read until the end, or until there is more than the limit; say whether it was the end."""
        held_bytes = sum(map(len, pieces))
        while held_bytes <= limit_bytes:
            chunk = await self._next(request)
            if not chunk:
                return True
            pieces.append(chunk)
            held_bytes += len(chunk)
        return False

    async def _rest(self, request: web.Request, pieces: list[bytes]) -> None:
        try:
            async with asyncio.timeout(_LARGE_SECONDS):
                if not await self._read(request, pieces, MANIFEST_LIMIT_BYTES):
                    raise ManifestTooLarge(limit_bytes=MANIFEST_LIMIT_BYTES)
        except TimeoutError:
            raise ClientSilent(f"no whole manifest came within {_LARGE_SECONDS:g} s") from None


def _receive(request: web.Request, size_bytes: int | None) -> None:
    """Have the loop ask the kernel for so much at once, where it can be told."""
    if size_bytes is not None and request.transport is not None:
        setattr(request.transport, _RECEIVES, size_bytes)


def _joined(pieces: list[bytes]) -> bytes:
    """Return the whole and let go of its pieces."""
    whole = b"".join(pieces)
    pieces.clear()
    return whole
