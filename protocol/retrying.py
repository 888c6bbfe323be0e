"""Which failures are tried again, when, and how a host is left in peace."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import tenacity

from protocol.errors import RateLimited, Unavailable, Unreachable

Result = TypeVar("Result")
Sleep = Callable[[float], Awaitable[None]]
_BUSY = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one operation goes on trying: `attempts` in all, jittered doubling pauses.

    A Retry-After beyond `longest_wait_seconds` is not waited for here: the error goes up with it,
    so that a job can be postponed instead of a worker be kept waiting.
    """

    attempts: int = 5
    first_pause_seconds: float = 0.25
    longest_pause_seconds: float = 10
    longest_wait_seconds: float = 30


@dataclass(slots=True)
class HoldBack:
    """One host's wish to be left alone, kept by all requests to it."""

    until: float = 0
    clock: Callable[[], float] = time.monotonic
    sleep: Sleep = asyncio.sleep

    def ask_for(self, seconds: float) -> None:
        """Note that the host wants `seconds` of quiet."""
        self.until = max(self.until, self.clock() + seconds)

    async def wait(self) -> None:
        """Return when the host may be asked."""
        while (rest := self.until - self.clock()) > 0:
            await self.sleep(rest)


@dataclass(slots=True)
class HoldBacks:
    """The hosts that asked for quiet, by `host:port`."""

    hosts: dict[str, HoldBack] = field(default_factory=dict)

    def of(self, host: str) -> HoldBack:
        """Return the one of a host."""
        if host not in self.hosts:
            self.hosts[host] = HoldBack()
        return self.hosts[host]


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Read a Retry-After header, seconds or a date (RFC 9110 §10.2.3); None if there is none."""
    if not value:
        return None
    try:
        return max(float(value), 0.0)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0)


def asks_for_a_pause(error: BaseException) -> bool:
    """Say whether a registry wants to be left alone: 429, or 503 with a Retry-After."""
    if isinstance(error, Unavailable):
        return error.status == _BUSY and error.retry_after_seconds is not None
    return isinstance(error, RateLimited)


def is_worth_retrying(error: BaseException, patience: Patience) -> bool:
    """Say whether the same request may succeed a moment later."""
    if isinstance(error, Unreachable):
        return error.transient
    if isinstance(error, RateLimited | Unavailable):
        return (error.retry_after_seconds or 0) <= patience.longest_wait_seconds
    return False


async def call(
    operation: Callable[[], Awaitable[Result]],
    patience: Patience,
    *,
    only: type[Exception] = Exception,
    sleep: Sleep = asyncio.sleep,
) -> Result:
    """Run `operation` until it succeeds or patience ends; raise its last error.

    `only` narrows what is tried again.

    The first try is made bare: nearly all requests need no second one.
    """
    try:
        return await operation()
    except (Unreachable, RateLimited, Unavailable) as error:
        failures: list[Exception] = [error]

    async def again() -> Result:
        if failures:
            raise failures.pop()
        return await operation()

    backoff = tenacity.wait_random_exponential(
        multiplier=patience.first_pause_seconds, max=patience.longest_pause_seconds
    )
    retrying = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(patience.attempts),
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, only) and is_worth_retrying(error, patience)
        ),
        wait=lambda state: _asked_for(state) or backoff(state),
        sleep=sleep,
        reraise=True,
    )
    return await retrying(again)


def _asked_for(state: tenacity.RetryCallState) -> float | None:
    """Return the pause that the host asked for."""
    error = state.outcome.exception() if state.outcome is not None else None
    return getattr(error, "retry_after_seconds", None)
