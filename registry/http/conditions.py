"""Conditional requests (RFC 9110 §13) and what a client may keep (RFC 9111 §5.2)."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from protocol.digest import Digest

# What a digest names never changes; `private`, because who may read it does. A tag may move.
FOR_EVER: Final = "private, max-age=31536000, immutable"
ASK_AGAIN: Final = "private, no-cache"


def range_of(request: web.Request, digest: Digest) -> str | None:
    """Return the `Range` to heed: none where the client goes on with something else (If-Range)."""
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != f'"{digest}"':
        return None
    return request.headers.get("Range")


def not_modified(request: web.Request, digest: Digest) -> bool:
    """Say whether the client's copy is the one it would get."""
    wanted = request.headers.get("If-None-Match")
    if wanted is None:
        return False
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in wanted.split(",")}
    return str(digest) in tags or "*" in tags
