"""Listings that come page by page, followed by Link (distribution-spec, Listing Tags)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from yarl import URL

from protocol import links, transport
from protocol.client.exchange import BODY_LIMIT_BYTES, Call, Exchange, Reply
from protocol.errors import Rejected
from protocol.request import redacted

PAGE_SIZE = 1000
"""ECR refuses more; whoever has smaller pages gives smaller ones."""

MAXIMUM_PAGES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A piece of a listing; `cursor` opens the next one, None means this was the last."""

    items: Sequence[str]
    cursor: str | None = None


async def page(exchange: Exchange, call: Call, key: str, cursor: str | None) -> Page:
    """Read the page that `cursor` opens, or the first; `key` names the list in its JSON."""
    if cursor is not None:
        call.url = exchange.url(cursor)
    reply = await exchange.read(call)
    names = _object(reply, call.operation).get(key) or []
    if not isinstance(names, list):
        raise _unusable(reply, call.operation, f"its {key!r} is no list")
    # Nexus lists null, Artifactory digests: neither is a name that can be asked for.
    kept = dict.fromkeys(name for name in names if isinstance(name, str) and _is_usable(name))
    return Page(items=tuple(kept), cursor=next_cursor(exchange, reply))


async def walk(first: Callable[[str | None], Awaitable[Page]]) -> AsyncIterator[Sequence[str]]:
    """Yield all pages' new names; a listing that leads in a circle ends."""
    cursor: str | None = None
    seen: set[str] = set()
    previous: frozenset[str] = frozenset()
    for _ in range(MAXIMUM_PAGES):
        found = await first(cursor)
        fresh = [name for name in found.items if name not in previous]
        if fresh:
            yield fresh
        previous = frozenset(found.items)
        cursor = found.cursor
        if cursor is None or cursor in seen:
            return
        seen.add(cursor)


def next_cursor(exchange: Exchange, reply: Reply) -> str | None:
    """Return path and query of the next page.

    Only those: a Link that names another host (a proxy's inner name) is asked for on ours.
    """
    target = links.following(reply.links)
    if target is None:
        return None
    url = transport.resolve(reply.url, target)
    base = exchange.base.raw_path.rstrip("/")
    path = url.raw_path.removeprefix(base) if base else url.raw_path
    following = f"{path}?{url.raw_query_string}" if url.raw_query_string else path
    return None if exchange.url(following) == reply.url else following


def _is_usable(name: str) -> bool:
    return bool(name) and ":" not in name


def _object(reply: Reply, operation: str) -> dict[str, Any]:
    if len(reply.body) > BODY_LIMIT_BYTES:
        raise _unusable(reply, operation, f"one page is larger than {BODY_LIMIT_BYTES} bytes")
    try:
        value = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise _unusable(reply, operation, "not a JSON object; is this a registry?")
    return value


def _unusable(reply: Reply, operation: str, reason: str) -> Rejected:
    return Rejected(
        f"the answer cannot be used: {reason}",
        operation=operation,
        url=redacted(URL(reply.url)),
        status=reply.status,
    )
