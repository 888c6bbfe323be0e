"""Requests that came through a trusted proxy appear as the client sent them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from jobservice.domain import forwarded
from jobservice.domain.forwarded import Network

HEADERS: Final = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")


def middleware(trusted: Sequence[Network]) -> Middleware:
    """Return what gives handlers the client's address, and the scheme and host it asked for."""

    @web.middleware
    async def unwrapped(request: web.Request, handler: Handler) -> web.StreamResponse:
        headers = {
            name: request.headers.getall(name) for name in HEADERS if name in request.headers
        }
        if not headers:
            return await handler(request)
        told = forwarded.origin(request.remote or "", headers, trusted)
        changed: dict[str, Any] = {"remote": told.address}
        if told.scheme is not None:
            changed["scheme"] = told.scheme
        if told.host is not None:
            changed["host"] = told.host
        return await handler(request.clone(**changed))

    return unwrapped
