"""Watching that a request's body moves on."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class StallWatch:
    """Ends a request whose body does not move on; raises TimeoutError out of its `async with`."""

    __slots__ = ("_open", "_timeout")

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self._open = False

    def expect_progress(self, seconds: float | None) -> None:
        """Wait so long for the next sign of life; None stops the clock.

        An answer may come before the body is through: then there is nothing to watch any more.
        """
        if self._open:
            when = None if seconds is None else asyncio.get_running_loop().time() + seconds
            self._timeout.reschedule(when)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open = False
        await self._timeout.__aexit__(kind, error, trace)
