"""How many requests a piece of work makes, however deep inside and in however many tasks of it.

A registry's client counts too, but its tally is shared by everybody who uses that client.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestCount:
    """The number so far."""

    total: int = 0


_CURRENT: ContextVar[RequestCount | None] = ContextVar("requests_made", default=None)


@contextmanager
def requests_made() -> Iterator[RequestCount]:
    """Count the requests made within; tasks begun within count too."""
    count = RequestCount()
    token = _CURRENT.set(count)
    try:
        yield count
    finally:
        _CURRENT.reset(token)


def count_request() -> None:
    """Count one request for whoever wants to know."""
    count = _CURRENT.get()
    if count is not None:
        count.total += 1
