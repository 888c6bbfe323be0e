"""Lists: tags, referrers and the catalog, each by pages with Link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from aiohttp import hdrs, web

from protocol import media_types, referrers
from registry.errors import refusal
from registry.http.exchange import PAGE, Exchange

_CURSOR_DIGITS: Final = 18


async def tags(exchange: Exchange) -> web.StreamResponse:
    """List tags in bytewise order after `last`."""
    limit, last = exchange.page()
    names = await exchange.repository.tags_page(after=last, limit=limit + 1)
    content = {"name": exchange.target.repository, "tags": names[:limit]}
    return _page(exchange, content, _following(names, limit))


async def catalog(exchange: Exchange) -> web.StreamResponse:
    """List repositories in bytewise order after `last`."""
    limit, last = exchange.page()
    names = await exchange.registry.repositories_page(
        exchange.principal, after=last, limit=limit + 1
    )
    return _page(exchange, {"repositories": names[:limit]}, _following(names, limit))


async def list_referrers(exchange: Exchange) -> web.StreamResponse:
    """List what refers to a digest, of one artifact type if asked."""
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
    return web.Response(body=body, headers=headers)


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


def _page(exchange: Exchange, content: Any, following: Mapping[str, str] | None) -> web.Response:
    headers = _link(exchange, following) if following else {}
    return web.Response(
        body=orjson.dumps(content), content_type="application/json", headers=headers
    )


def _link(exchange: Exchange, query: Mapping[str, str]) -> dict[str, str]:
    return {hdrs.LINK: f'<{exchange.request.path}?{urlencode(query)}>; rel="next"'}
