"""Who is asked right before bytes go out that only the holder of some work may send.

Between deciding to write and writing lie waits: for a rate, for a Retry-After, for a connection,
for the next try. Whoever lost the work during one of them must not send. So the one door to HTTP
asks each time that a connection is at hand, whatever came before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Confirm: TypeAlias = Callable[[], Awaitable[None]]

_CURRENT: ContextVar[Confirm | None] = ContextVar("fence", default=None)


@contextmanager
def fenced(by: Confirm) -> Iterator[None]:
    """Let every request made within ask `by` first; what it raises keeps the request back.

    It must not raise OSError: that is taken for the connection's.
    """
    token = _CURRENT.set(by)
    try:
        yield
    finally:
        _CURRENT.reset(token)


async def confirm() -> None:
    """Return when bytes may go out: at once where nothing is fenced."""
    by = _CURRENT.get()
    if by is not None:
        await by()
