"""Answers that follow in pieces: their head, and their end when something breaks in the middle."""

from __future__ import annotations

import socket
from typing import Final

from aiohttp import web

BEGUN: Final = web.RequestKey("begun", web.StreamResponse)


async def begin(
    request: web.Request,
    response: web.StreamResponse,
    *,
    length_bytes: int,
    silence_seconds: float,
) -> None:
    """Send the head of an answer; from here on its client takes all that comes for its body."""
    response.content_length = length_bytes
    _hang_up_on_silence(request, silence_seconds)
    request[BEGUN] = response
    await response.prepare(request)


def break_off(request: web.Request) -> web.StreamResponse | None:
    """Cut the connection of an answer that has begun, and return it: nothing else may follow."""
    begun = request.get(BEGUN)
    if begun is not None and request.transport is not None:
        request.transport.abort()
    return begun


def _hang_up_on_silence(request: web.Request, silence_seconds: float) -> None:
    """Have the kernel end the connection to a client that takes nothing any more (RFC 5482)."""
    transport = request.transport
    connected = transport.get_extra_info("socket") if transport is not None else None
    if connected is not None:
        milliseconds = int(silence_seconds * 1000)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
