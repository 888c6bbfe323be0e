"""How fast bytes move and when they will be there, from readings; honest where nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# A rate is of the last few seconds; of less than two it would be a guess.
WINDOW_SECONDS = 10.0
SHORTEST_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """So many bytes were done at a moment of a monotonic clock."""

    at_seconds: float
    bytes_done: int


def kept(readings: Sequence[Measured], now_seconds: float) -> tuple[Measured, ...]:
    """Return the readings that still count: those of the window, and one that began before it."""
    young = [r for r in readings if now_seconds - r.at_seconds <= WINDOW_SECONDS]
    old = readings[: len(readings) - len(young)]
    return (*old[-1:], *young)


def bytes_per_second(readings: Sequence[Measured]) -> int | None:
    """Return the rate between the first reading and the last; None while they are too close."""
    if len(readings) < 2:  # noqa: PLR2004  a rate lies between two
        return None
    first, last = readings[0], readings[-1]
    seconds = last.at_seconds - first.at_seconds
    if seconds < SHORTEST_SECONDS:
        return None
    # An upload that went back has moved nothing.
    return max(0, round((last.bytes_done - first.bytes_done) / seconds))


def seconds_left(bytes_done: int, bytes_total: int | None, rate: int | None) -> int | None:
    """Return how long the rest takes at this rate; None while total or rate are not known."""
    if bytes_total is None or not rate or bytes_done > bytes_total:
        return None
    return -(-(bytes_total - bytes_done) // rate)
