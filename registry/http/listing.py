"""Lists: tags, referrers and the catalog, each by pages with Link."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import hdrs, web

from protocol import media_types, referrers
from registry.errors import refusal
from registry.http.exchange import PAGE, Exchange
from registry.http.listed import Listed

_MANY: Final = 1000  # entries of at most 255 bytes
_CURSOR_DIGITS: Final = 18


async def tags(exchange: Exchange) -> web.StreamResponse:
    """List tags in bytewise order after `last`."""
    return await _sent(exchange, _tags, may_be_large=exchange.page()[0] > _MANY)


async def _tags(exchange: Exchange) -> Listed:
    limit, last = exchange.page()
    names = await exchange.repository.tags_page(after=last, limit=limit + 1)
    content = {"name": exchange.target.repository, "tags": names[:limit]}
    return _page(exchange, content, _following(names, limit))


async def catalog(exchange: Exchange) -> web.StreamResponse:
    """List repositories in bytewise order after `last`."""
    return await _sent(exchange, _catalog, may_be_large=exchange.page()[0] > _MANY)


async def _catalog(exchange: Exchange) -> Listed:
    limit, last = exchange.page()
    names = await exchange.registry.repositories_page(
        exchange.principal, after=last, limit=limit + 1
    )
    return _page(exchange, {"repositories": names[:limit]}, _following(names, limit))


async def list_referrers(exchange: Exchange) -> web.StreamResponse:
    """List what refers to a digest, of one artifact type if asked."""
    return await _sent(exchange, _referrers, may_be_large=True)


async def _referrers(exchange: Exchange) -> Listed:
    wanted = exchange.text("artifactType")
    page = await exchange.repository.referrers_page(
        exchange.digest, artifact_type=wanted, after=_after(exchange), limit=PAGE
    )
    body = referrers.render(referrer.descriptor for referrer in page).body
    headers: dict[str, str] = {hdrs.CONTENT_TYPE: media_types.OCI_INDEX}
    if wanted is not None:
        headers["OCI-Filters-Applied"] = "artifactType"
    if page and page[-1].is_followed:
        query = {"artifactType": wanted} if wanted is not None else {}
        headers.update(_link(exchange, {**query, "last": str(page[-1].id)}))
    return Listed.of(body, headers)


async def _sent(
    exchange: Exchange, build: Callable[[Exchange], Awaitable[Listed]], *, may_be_large: bool
) -> web.StreamResponse:
    """Make a list, few large ones at a time, then send it: nothing of it is held meanwhile."""
    async with exchange.bodies.lists if may_be_large else contextlib.nullcontext():
        listed = await build(exchange)
    return await listed.send(exchange.request, silence_seconds=exchange.bodies.silence_seconds)


def _after(exchange: Exchange) -> int:
    text = exchange.request.query.get("last", "0")
    if not (text.isascii() and text.isdigit()) or len(text) > _CURSOR_DIGITS:
        raise refusal(
            "PAGINATION_NUMBER_INVALID", f"last={text[:40]!r} is no cursor", operation="list"
        )
    return int(text)


def _following(names: Sequence[str], limit: int) -> Mapping[str, str] | None:
    """Return where the next page begins, or None: `n=0` has no next page."""
    if limit == 0 or len(names) <= limit:
        return None
    return {"n": str(limit), "last": names[limit - 1]}


def _page(exchange: Exchange, content: Any, following: Mapping[str, str] | None) -> Listed:
    headers: dict[str, str] = {hdrs.CONTENT_TYPE: "application/json"}
    headers.update(_link(exchange, following) if following else {})
    return Listed.of(orjson.dumps(content), headers)


def _link(exchange: Exchange, query: Mapping[str, str]) -> dict[str, str]:
    return {hdrs.LINK: f'<{exchange.request.path}?{urlencode(query)}>; rel="next"'}
