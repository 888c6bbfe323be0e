"""Short-lived coordination between workers, in Redis: how many requests a registry gets a second.

GCRA, the leaky bucket as a single time: each request that is let through moves the registry's next
free moment on by one interval; it may be let through up to a second ahead of it. Who is not let
through takes nothing and asks again, so that a wait can be given up and a rate be changed at any
moment. While Redis is away each worker keeps to its share of the rate, by its own clock.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, Self

import structlog
from arq.connections import ArqRedis
from redis.exceptions import RedisError

from jobservice import queue

KEY: Final = "transship:rate:{endpoint_id}"
# So long Redis is not asked again after it failed: a connection that hangs costs time.
AWAY_SECONDS: Final = 5.0
PATIENCE_SECONDS: Final = 1.0

# Redis's clock, so that workers need not agree on the time. Milliseconds; the answer is a pause, 0
# for who is let through. A free moment further ahead than this rate can bring it is from a slower
# rate, or from before the clock was set back.
TAKE = """
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local free = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
if free > now + tolerance + interval + 1 then free = now + tolerance end
if free - tolerance > now then
    return string.format('%.3f', math.max(free - tolerance - now, 0.001))
end
redis.call('SET', KEYS[1], string.format('%.3f', free + interval),
           'PX', math.ceil(free + interval - now) + 1000)
return '0'
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many requests a second a registry may get, and how many workers share that."""

    per_second: float
    workers: int = 1


@dataclass(slots=True)
class Share:
    """One worker's part of a rate, by its own clock."""

    clock: Callable[[], float] = monotonic
    free_at: float = field(default=0.0)

    def take(self, rate: Rate) -> float:
        """Let a request through and return 0, or return how many seconds to wait."""
        now = self.clock()
        interval = max(1, rate.workers) / rate.per_second
        free = min(self.free_at, now + interval)
        if free > now:
            return free - now
        self.free_at = now + interval
        return 0.0


class RateLimits:
    """The request rates of all registries, shared with every other worker."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis: Any = redis
        self._take: Any = redis.register_script(TAKE)
        self._shares: defaultdict[int, Share] = defaultdict(Share)
        self._away_until = 0.0
        self._said_away = False

    @classmethod
    @asynccontextmanager
    async def connected(cls, dsn: str) -> AsyncIterator[Self]:
        """Hand out limits with a client of their own; Redis may be away."""
        redis = queue.connect(dsn)
        try:
            yield cls(redis)
        finally:
            await queue.close(redis)

    async def take(self, endpoint_id: int, rate: Rate) -> float:
        """Let one request to a registry through and return 0.

        Or return how many seconds later there may be room; nothing is taken then.
        """
        seconds = await self._shared(endpoint_id, rate)
        return self._shares[endpoint_id].take(rate) if seconds is None else seconds

    async def ahead(self, endpoint_ids: Sequence[int]) -> Mapping[int, float] | None:
        """Return how many seconds ahead of now each registry's next free moment lies, at least 0.

        Nothing of those that nobody talked to lately; None while Redis is away.
        """
        if monotonic() < self._away_until:
            return None
        if not endpoint_ids:
            return {}
        keys = [KEY.format(endpoint_id=one) for one in endpoint_ids]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                seconds, microseconds = await self._redis.time()
                moments = await self._redis.mget(keys)
        except (RedisError, OSError) as error:
            self._is_away(error)
            return None
        now = seconds + microseconds / 1e6
        return {
            endpoint_id: max(0.0, float(moment) / 1000 - now)
            for endpoint_id, moment in zip(endpoint_ids, moments, strict=True)
            if moment is not None
        }

    async def _shared(self, endpoint_id: int, rate: Rate) -> float | None:
        """Ask Redis; None while it is away."""
        if monotonic() < self._away_until:
            return None
        interval = 1000 / rate.per_second
        tolerance = max(0.0, 1000 - interval)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self._take(
                    keys=[KEY.format(endpoint_id=endpoint_id)], args=[interval, tolerance]
                )
        except (RedisError, OSError) as error:
            self._is_away(error)
            return None
        if self._said_away:
            self._said_away = False
            log.info("rate_by_redis_again")
        return float(answer) / 1000

    def _is_away(self, error: Exception) -> None:
        """Go on without Redis for a while; said once, until it is back."""
        self._away_until = monotonic() + AWAY_SECONDS
        if not self._said_away:
            self._said_away = True
            log.warning("rate_by_share", reason=str(error) or type(error).__name__)
