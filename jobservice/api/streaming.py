"""Answers that go on: server-sent events, and long texts that are made while they are sent.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import orjson
import structlog
from aiohttp import web

from jobservice.api.router import Call
from jobservice.domain.happening import Place
from jobservice.errors import InvalidRequest

HEARTBEAT_SECONDS: Final = 15.0
RETRY_MILLISECONDS: Final = 2_000
LAST_EVENT_ID: Final = "Last-Event-ID"
MEDIA_TYPE: Final = "text/event-stream"
PIECE_CHARACTERS: Final = 64 * 1024
# A page brings its own style and nothing else.
POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class Stream:
    """One answer that goes on; open it, then send."""

    def __init__(self, call: Call[Any, Any, Any]) -> None:
        self._request = call.request
        context = structlog.contextvars.get_contextvars()
        self.response = web.StreamResponse(
            headers={
                "Content-Type": MEDIA_TYPE,
                "Cache-Control": "no-store",
                # Proxies that buffer would turn live into late.
                "X-Accel-Buffering": "no",
                "X-Request-Id": str(context.get("request_id", "")),
            }
        )

    async def open(self) -> None:
        """Send the head of the answer."""
        await self.response.prepare(self._request)
        await self._write(f"retry: {RETRY_MILLISECONDS}\n\n")

    async def send(self, event: str, data: object, *, identity: str = "") -> None:
        """Send an event; `identity` is where a client goes on from when it comes back."""
        head = f"id: {identity}\n" if identity else ""
        text = orjson.dumps(data).decode()
        await self._write(f"{head}event: {event}\ndata: {text}\n\n")

    async def comment(self, text: str) -> None:
        """Send what no client sees, so that neither end takes the other for dead."""
        await self._write(f": {text}\n\n")

    async def close(self) -> None:
        """End the answer; a client that is gone already does not mind."""
        with contextlib.suppress(ConnectionError):
            await self.response.write_eof()

    async def _write(self, text: str) -> None:
        await self.response.write(text.encode())


async def whole_text(
    request: web.Request, pieces: AsyncGenerator[str, None], *, content_type: str
) -> web.StreamResponse:
    """Answer with a text that is made before its first byte is sent; a long one waits on disk.

    However slowly it is read, what it is made from is given back before that. Whatever is raised
    is answered as any error is; for a client that leaves meanwhile no more of it is made.
    """
    response = _response(content_type)
    with tempfile.SpooledTemporaryFile(max_size=PIECE_CHARACTERS) as spool:
        async with aclosing(pieces):
            async for piece in pieces:
                if request.transport is None:
                    return response
                await asyncio.to_thread(spool.write, piece.encode())
        response.content_length = spool.tell()
        spool.seek(0)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):  # the client is gone
            while block := await asyncio.to_thread(spool.read, PIECE_CHARACTERS):
                await response.write(block)
            await response.write_eof()
    return response


async def text(
    request: web.Request, pieces: AsyncGenerator[str, None], *, content_type: str
) -> web.StreamResponse:
    """Answer with a text that is made while it is sent.

    What is raised before the first piece is answered as any error is. After that nothing but a
    connection that breaks off can say that the rest is missing.
    """
    async with aclosing(pieces):
        first = await anext(pieces)
        response = _response(content_type)
        await response.prepare(request)
        is_whole = False
        try:
            await _send_all(response, first, pieces)
            is_whole = True
        except ConnectionError:
            pass  # the client is gone
        finally:
            if not is_whole and request.transport is not None:
                request.transport.abort()
    return response


def _response(content_type: str) -> web.StreamResponse:
    context = structlog.contextvars.get_contextvars()
    return web.StreamResponse(
        headers={
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": str(context.get("request_id", "")),
        }
    )


async def _send_all(
    response: web.StreamResponse, first: str, pieces: AsyncGenerator[str, None]
) -> None:
    waiting, size = [first], len(first)
    async for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE_CHARACTERS:
            await response.write("".join(waiting).encode())
            waiting, size = [], 0
    await response.write("".join(waiting).encode())
    await response.write_eof()


def last_place(request: web.Request) -> Place | None:
    """Return where a client that comes back wants to go on; raise InvalidRequest."""
    text = request.headers.get(LAST_EVENT_ID)
    if not text:
        return None
    place = Place.read(text)
    if place is None:
        raise InvalidRequest([f"{LAST_EVENT_ID}: {text[:80]!r} is no id of an event"])
    return place
