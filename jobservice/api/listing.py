"""From a list's query to the listing that a store understands."""

from __future__ import annotations

from typing import Any

from jobservice.api import querying
from jobservice.api.router import Call
from jobservice.domain.listing import Condition, Listing, Order


def asked(
    call: Call[Any, Any, Any],
    fields: querying.Fields,
    *conditions: Condition,
    latest_first: bool = False,
) -> Listing:
    """Return what a call asks for, with further conditions; raise InvalidRequest."""
    parsed = querying.parse(
        getattr(call.query, "q", None), getattr(call.query, "sort", None), fields
    )
    call.ignored += parsed.ignored
    usual = (Order(field="id", descending=True),) if latest_first else ()
    return Listing(
        conditions=(*parsed.conditions, *conditions),
        order=parsed.order or usual,
        page=call.query.page,
        page_size=call.query.page_size,
    )
