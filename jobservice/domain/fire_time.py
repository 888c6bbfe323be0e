"""From wall times to moments: what a cron expression means in a zone that changes its clocks.

An expression that fires in every hour is an interval: it fires whenever the wall clock shows a time
of its own, so through a repeated hour twice, and through a skipped one not at all. Any other names
times of a day: one that is skipped fires when the gap ends, one that comes twice fires at the
first, and several that fall on one moment fire once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from jobservice.domain.cron import Cron

SECOND: Final = timedelta(seconds=1)
DAY: Final = timedelta(days=1)


def following(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime:
    """Return the first moment after `after` at which an expression fires in a zone, in UTC."""
    start = after.astimezone(UTC)
    return _interval(cron, zone, start) if cron.is_every_hour else _daytime(cron, zone, start)


def _daytime(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime:
    """Later wall times never mean earlier moments, so that the first that is late enough is it."""
    wall = _wall(after, zone)
    while True:
        wall = cron.next(wall)
        moment = _moment(wall, zone)
        if moment > after:
            return moment


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return when a wall clock shows a time first; where it never does, when it jumps over it."""
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if _wall(moment, zone) == wall:
        return moment
    # What the gap skips is read with the offset before it, or, with fold, with the one after it.
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _bisected(zone, before, moment)


def _interval(cron: Cron, zone: ZoneInfo, after: datetime) -> datetime:
    """Go from one change of the clocks to the next; between them walls and moments agree."""
    start, wall = after, _wall(after, zone)
    while True:
        moment = (cron.next(wall) - _offset(start, zone)).replace(tzinfo=UTC)
        change = _first_change(zone, start, moment)
        if change is None:
            return moment
        start, wall = change, _wall(change, zone) - SECOND


def _first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return the first moment in (start, end] with another offset; no zone changes twice a day."""
    low = start
    while low < end:
        high = min(low + DAY, end)
        if _offset(high, zone) != _offset(start, zone):
            return _bisected(zone, low, high)
        low = high
    return None


def _bisected(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """Return the second in (low, high] at which the offset of `low` ends."""
    offset = _offset(low, zone)
    low = low.replace(microsecond=0)
    while high - low > SECOND:
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        low, high = (middle, high) if _offset(middle, zone) == offset else (low, middle)
    return high.replace(microsecond=0)


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    wall = moment.astimezone(zone).replace(tzinfo=None)
    return wall - moment.astimezone(UTC).replace(tzinfo=None)
