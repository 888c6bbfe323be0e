"""Short-lived coordination between workers, in Redis: how many requests a registry gets a second.

GCRA, the leaky bucket as a single time: each request moves the registry's next free moment on by
one interval and waits until its own. A second's worth may come at once. While Redis is away each
worker keeps to its share of the rate, by its own clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Self

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from jobservice import queue

KEY: Final = "transship:rate:{endpoint_id}"
# So long Redis is not asked again after it failed: a connection that hangs costs seconds.
AWAY_SECONDS: Final = 5.0

# Redis's clock, so that workers need not agree on the time. Milliseconds; the answer is a pause.
RESERVE = """
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local free = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
redis.call('SET', KEYS[1], string.format('%.3f', free + interval),
           'PX', math.ceil(free + interval - now) + 1000)
return string.format('%.3f', math.max(free - tolerance - now, 0))
"""

Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Share:
    """One worker's part of a rate, by its own clock."""

    per_second: float
    clock: Callable[[], float] = monotonic
    free_at: float = field(default=0.0)

    def reserve(self) -> float:
        """Take the next free moment; return how many seconds it is away."""
        now = self.clock()
        moment = max(self.free_at, now)
        self.free_at = moment + 1 / self.per_second
        return moment - now


class RateLimits:
    """The request rates of all registries, shared with every other worker."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis: Any = redis
        self._reserve: Any = redis.register_script(RESERVE)
        self._sleep: Sleep = asyncio.sleep
        self._away_until = 0.0

    @classmethod
    @asynccontextmanager
    async def connected(cls, dsn: str) -> AsyncIterator[Self]:
        """Hand out limits with a client of their own; Redis may be away."""
        redis = queue.connect(dsn)
        try:
            yield cls(redis)
        finally:
            await queue.close(redis)

    def pause_with(self, sleep: Sleep) -> None:
        """Wait by another clock."""
        self._sleep = sleep

    def gate(self, endpoint_id: int, per_second: float, *, workers: int) -> RateGate:
        """Return a registry's gate; `workers` share its rate while Redis is away."""
        return RateGate(self, endpoint_id, per_second, Share(per_second / max(1, workers)))

    async def wait(self, endpoint_id: int, per_second: float, share: Share) -> None:
        """Return when a registry may be sent one more request."""
        seconds = await self._shared(endpoint_id, per_second)
        pause = share.reserve() if seconds is None else seconds
        if pause > 0:
            await self._sleep(pause)

    async def ahead(self, endpoint_ids: Sequence[int]) -> Mapping[int, float] | None:
        """Return how many seconds ahead of now each registry's next free moment lies, at least 0.

        Nothing of those that nobody talked to lately; None while Redis is away.
        """
        if monotonic() < self._away_until:
            return None
        if not endpoint_ids:
            return {}
        try:
            seconds, microseconds = await self._redis.time()
            moments = await self._redis.mget([KEY.format(endpoint_id=one) for one in endpoint_ids])
        except (RedisError, OSError) as error:
            self._away_until = monotonic() + AWAY_SECONDS
            log.warning("rate_by_share", reason=str(error) or type(error).__name__)
            return None
        now = seconds + microseconds / 1e6
        return {
            endpoint_id: max(0.0, float(moment) / 1000 - now)
            for endpoint_id, moment in zip(endpoint_ids, moments, strict=True)
            if moment is not None
        }

    async def _shared(self, endpoint_id: int, per_second: float) -> float | None:
        """Reserve a moment in Redis; None while it is away."""
        if monotonic() < self._away_until:
            return None
        interval = 1000 / per_second
        tolerance = max(0.0, 1000 - interval)
        try:
            answer = await self._reserve(
                keys=[KEY.format(endpoint_id=endpoint_id)], args=[interval, tolerance]
            )
        except (RedisError, OSError) as error:
            self._away_until = monotonic() + AWAY_SECONDS
            log.warning("rate_by_share", reason=str(error) or type(error).__name__)
            return None
        return float(answer) / 1000


class RateGate:
    """One registry's gate; implements protocol.gate.Gate."""

    def __init__(
        self, limits: RateLimits, endpoint_id: int, per_second: float, share: Share
    ) -> None:
        self._limits = limits
        self._endpoint_id = endpoint_id
        self._per_second = per_second
        self._share = share

    async def admit(self) -> None:
        """Return when one more request may be sent."""
        await self._limits.wait(self._endpoint_id, self._per_second, self._share)
