"""How hard a registry may be worked, over all workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

HIGHEST = 1_000_000
SLOWEST = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLimits:
    """What an operator allows; None is unlimited."""

    concurrency: int | None = None
    requests_per_second: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """The limits of a registry, and until when it asked to be left alone."""

    endpoint_id: int
    concurrency: int | None
    requests_per_second: float | None
    postponed_until: datetime | None
    postponed_because: str
    is_postponed: bool


def next_request_seconds(per_second: float, ahead_seconds: float) -> float:
    """Return how long the next request waits where they are taken so far ahead; 0: it may go.

    A second's worth may go at once: so far requests may be taken ahead.
    """
    return max(0.0, ahead_seconds - max(0.0, 1 - 1 / per_second))


def problems(limits: EndpointLimits) -> Iterator[str]:
    """Yield what is wrong with limits; places are named as the API has them."""
    if limits.concurrency is not None and not 1 <= limits.concurrency <= HIGHEST:
        yield f"transship.limits.concurrency: {limits.concurrency} is not within 1 to {HIGHEST}"
    rate = limits.requests_per_second
    if rate is not None and not SLOWEST <= rate <= HIGHEST:  # also refuses NaN
        yield f"transship.limits.requests_per_second: {rate} is not within {SLOWEST} to {HIGHEST}"
