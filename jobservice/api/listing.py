"""Lists: from a query to the listing that a store understands, from its rows to an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel

from jobservice.api import answering, cursors, querying
from jobservice.api.router import Call
from jobservice.domain.listing import Condition, Cursor, Listing, Order, Rows

Item = TypeVar("Item")


def asked(
    call: Call[Any, Any, Any],
    fields: querying.Fields,
    *conditions: Condition,
    latest_first: bool = False,
    by: str = "id",
) -> Listing:
    """Return what a call asks for, with further conditions; raise InvalidRequest.

    Unless asked otherwise it is in the order of ids or of some field.
    """
    parsed = querying.parse(
        getattr(call.query, "q", None),
        getattr(call.query, "sort", None),
        fields,
        refuses_unknown=call.query.model_config.get("extra") == "forbid",
    )
    call.ignored += parsed.ignored
    usual = (Order(field=by, descending=latest_first),)
    found = Listing(
        conditions=(*parsed.conditions, *conditions),
        order=parsed.order or usual,
        page=call.query.page,
        page_size=call.query.page_size,
    )
    word = getattr(call.query, "cursor", None)
    return replace(found, cursor=cursors.read(word, found.keys, fields)) if word else found


def answer(
    call: Call[Any, Any, Any],
    listing: Listing,
    found: Rows[Item],
    shown: Callable[[Item], BaseModel],
) -> web.Response:
    """Answer with a page: its rows, the total, and links to the pages beside it."""
    response = answering.json([shown(item) for item in found.items])
    answering.set_total(response, found.total)
    page = listing.page
    links = [
        _link(call, listing, max(1, page - 1), found.before, "prev"),
        _link(call, listing, page + 1, found.after, "next"),
    ]
    if given := ", ".join(filter(None, links)):
        response.headers["Link"] = given
    if found.searched is not None:
        told = f"of what indexes find, the newest {found.searched} were looked through"
        response.headers.add("Warning", f'299 transship "{told}"')
    return response


def _link(
    call: Call[Any, Any, Any], listing: Listing, number: int, cursor: Cursor | None, relation: str
) -> str:
    if cursor is None:
        return ""
    target = call.request.rel_url.update_query(
        page=number, page_size=listing.page_size, cursor=cursors.write(listing.keys, cursor)
    )
    return f'<{target}>; rel="{relation}"'
