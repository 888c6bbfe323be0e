"""How much at once and how fast: counting semaphores per side, a token bucket for bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Final

BYTES_PER_KILOBIT: Final = 128
_BURST_SECONDS: Final = 0.25


class Bandwidth:
    """A token bucket shared by all blobs of a transfer; `take` waits until bytes may go."""

    def __init__(
        self,
        bytes_per_second: float,
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if bytes_per_second <= 0:
            raise ValueError("bandwidth must be positive; use None for no limit")
        self._rate = bytes_per_second
        self._clock = clock
        self._sleep = sleep
        self._burst = bytes_per_second * _BURST_SECONDS
        self._tokens = self._burst
        self._filled_at = clock()

    @classmethod
    def from_kilobits(cls, speed_kilobits: int | None) -> Bandwidth | None:
        """Return a bucket for a policy's speed, or None; 1 kilobit is 128 bytes, as in Harbor."""
        return cls(speed_kilobits * BYTES_PER_KILOBIT) if speed_kilobits else None

    async def take(self, count_bytes: int) -> None:
        """Wait until `count_bytes` may be sent. The debt is taken at once, so turns stay fair."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        self._tokens -= count_bytes
        if self._tokens < 0:
            await self._sleep(-self._tokens / self._rate)


class Limits:
    """Exchanges at once with each registry; where both are needed, the source's comes first."""

    def __init__(self, *, source: int = 32, destination: int = 32) -> None:
        self.source = asyncio.Semaphore(source)
        self.destination = asyncio.Semaphore(destination)

    @asynccontextmanager
    async def both(self) -> AsyncIterator[None]:
        """Hold a turn at the source and one at the destination; all take them in that order."""
        async with self.source, self.destination:
            yield
