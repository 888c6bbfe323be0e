"""Conditional requests (RFC 9110 §13)."""

from __future__ import annotations

from aiohttp import web

from protocol.digest import Digest


def not_modified(request: web.Request, digest: Digest) -> bool:
    """Say whether the client's copy is the one it would get."""
    wanted = request.headers.get("If-None-Match")
    if wanted is None:
        return False
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")}
    return str(digest) in tags or "*" in tags
