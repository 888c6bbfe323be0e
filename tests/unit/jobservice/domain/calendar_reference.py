"""What an expression means, found by looking at every minute: slow, and nothing shared.

An expression is drawn with the sets of numbers that it stands for, so that no parser is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Part:
    """One field: its text, the numbers it stands for, and whether it restricts nothing."""

    text: str
    values: frozenset[int]
    is_star: bool = False


@dataclass(frozen=True)
class Parts:
    """Minute, hour, day, month, weekday (0 is Sunday)."""

    minute: Part
    hour: Part
    day: Part
    month: Part
    weekday: Part

    @property
    def text(self) -> str:
        fields = (self.minute, self.hour, self.day, self.month, self.weekday)
        return " ".join(["0", *(field.text for field in fields)])

    def matches(self, wall: datetime) -> bool:
        if wall.minute not in self.minute.values or wall.hour not in self.hour.values:
            return False
        return self.matches_date(wall)

    def matches_date(self, wall: datetime) -> bool:
        if wall.month not in self.month.values:
            return False
        by_day = wall.day in self.day.values
        by_weekday = wall.isoweekday() % 7 in self.weekday.values
        if self.day.is_star or self.weekday.is_star:
            return by_day and by_weekday
        return by_day or by_weekday

    @property
    def is_possible(self) -> bool:
        leap_year = (datetime(2028, 1, 1, tzinfo=UTC) + timedelta(days=n) for n in range(366))
        return any(self.matches_date(day) for day in leap_year) or not self.weekday.is_star


def next_wall(parts: Parts, start: datetime, *, limit: timedelta) -> datetime | None:
    """The first whole minute after `start` that matches; None where none does for so long."""
    minute = start.replace(second=0, microsecond=0) + MINUTE
    while minute - start <= limit:
        if not parts.matches_date(minute):
            minute = minute.replace(hour=0, minute=0) + timedelta(days=1)
        elif parts.matches(minute):
            return minute
        else:
            minute += MINUTE
    return None


def moments(parts: Parts, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Every moment in (start, end] at which it fires, by watching a clock on the wall.

    The clock shows each minute. An expression with every hour fires at whatever it shows. Others
    fire at what it shows for the first time, and for what it jumps over when it jumps.
    """
    fired = []
    minute = start.astimezone(UTC).replace(second=0, microsecond=0) - timedelta(days=1)
    highest = _wall(minute, zone)
    is_interval = len(parts.hour.values) == 24
    while minute <= end:
        shown = _wall(minute, zone)
        if is_interval:
            fires = parts.matches(shown)
        else:
            fires = False
            while highest < shown:
                highest += MINUTE
                fires = parts.matches(highest) or fires
        if fires and minute > start:
            fired.append(minute)
        minute += MINUTE
    return fired


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def expressions() -> st.SearchStrategy[Parts]:
    """Possible expressions, the plain ones of people more often than not."""
    return st.builds(
        Parts,
        minute=_field(0, 59),
        hour=_field(0, 23),
        day=_field(1, 31),
        month=st.one_of(st.just(_star("*", 1, 12)), _field(1, 12)),
        weekday=st.one_of(st.just(_star("*", 0, 6)), _field(0, 6)),
    ).filter(lambda parts: parts.is_possible)


def _star(text: str, low: int, high: int) -> Part:
    return Part(text, frozenset(range(low, high + 1)), is_star=True)


def _field(low: int, high: int) -> st.SearchStrategy[Part]:
    number = st.integers(low, high)
    return st.one_of(
        st.sampled_from([_star("*", low, high), _star("?", low, high)]),
        number.map(lambda n: Part(str(n), frozenset([n]))),
        st.lists(number, min_size=2, max_size=5).map(
            lambda several: Part(",".join(map(str, several)), frozenset(several))
        ),
        st.tuples(number, number)
        .map(sorted)
        .map(lambda ends: Part(f"{ends[0]}-{ends[1]}", frozenset(range(ends[0], ends[1] + 1)))),
        st.integers(2, high - low).map(
            lambda step: Part(f"*/{step}", frozenset(range(low, high + 1, step)))
        ),
    )
