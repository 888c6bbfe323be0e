"""Harbor's cron expressions: six fields, seconds first and always 0.

The grammar is checked here, before croniter sees anything: croniter knows much more (L, W, #, R, H,
@daily, five and seven fields, weekday 7), and some of it is random or endless. What croniter gets
are plain lists of numbers. Day and weekday follow POSIX, as in Harbor: if both are restricted, one
of them is enough.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from croniter import croniter

from jobservice.errors import InvalidRequest

TEXT_LIMIT: Final = 256
SHOWN_LIMIT: Final = 24
LONGEST_MONTHS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
STARS: Final = ("*", "?")
PART: Final = re.compile(
    r"(?P<first>[*?]|[0-9]{1,9}|[A-Za-z]{3})(?:-(?P<last>[0-9]{1,9}|[A-Za-z]{3}))?"
    r"(?:/(?P<step>[0-9]{1,9}))?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One of the six, with its bounds and the names that stand for numbers."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    hint: str = ""


FIELDS: Final = (
    _Field(name="minute", low=0, high=59),
    _Field(name="hour", low=0, high=23),
    _Field(name="day", low=1, high=31),
    _Field(name="month", low=1, high=12, names={name: n for n, name in enumerate(MONTHS, start=1)}),
    _Field(
        name="weekday",
        low=0,
        high=6,
        names={name: n for n, name in enumerate(WEEKDAYS)},
        hint=", 0 is Sunday",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """An expression that was checked; `text` is what was given."""

    text: str
    expression: str = field(repr=False)
    is_every_minute: bool
    is_every_hour: bool

    def next(self, wall: datetime) -> datetime:
        """Return the first time after `wall`; both are wall times without a zone."""
        times = _iterator(self.expression)
        times.set_current(wall.replace(microsecond=0), force=True)
        found: datetime = times.get_next(datetime)
        return found


@lru_cache(maxsize=1024)
def _iterator(expression: str) -> croniter:
    """Return croniter's reading of an expression: making one costs more than asking it."""
    return croniter(expression)


@lru_cache(maxsize=1024)
def parse(text: str) -> Cron:
    """Read an expression; raise InvalidRequest with a sentence for each field that is wrong."""
    words = text.split() if len(text) <= TEXT_LIMIT else []
    problems = list(_shape_problems(text, words))
    if problems:
        raise InvalidRequest(problems)
    if words[0] != "0":
        problems.append(f"the second is {_shown(words[0])}, it must be 0")
    values: list[frozenset[int]] = []
    for known, word in zip(FIELDS, words[1:], strict=True):
        try:
            values.append(_values(known, word))
        except ValueError as problem:
            problems.append(str(problem))
    if not problems:
        problems += _date_problems(words, values)
    if problems:
        raise InvalidRequest(problems)
    return Cron(
        text=text,
        expression=_expression(words, values),
        is_every_minute=words[1] in STARS,
        is_every_hour=len(values[1]) == FIELDS[1].high + 1,
    )


def _shape_problems(text: str, words: list[str]) -> Iterator[str]:
    if len(text) > TEXT_LIMIT:
        yield f"has {len(text)} characters, {TEXT_LIMIT} are allowed"
    elif text.lstrip().startswith("@"):
        yield (
            f"{_shown(text)} is a shorthand; write six fields: second minute hour day month weekday"
        )
    elif len(words) != len(FIELDS) + 1:
        yield (
            f"has {len(words)} fields, six are needed: second minute hour day month weekday,"
            " as in 0 30 2 * * *"
        )


def _values(known: _Field, word: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        found.update(_range(known, part))
    return frozenset(found)


def _range(known: _Field, part: str) -> range:
    match = PART.fullmatch(part)
    if match is None or (match["first"] in STARS and match["last"]):
        raise ValueError(
            f"the {known.name} {_shown(part)} is not understood: numbers, *, ?, ranges, lists and"
            " steps are, and names of months and weekdays; L, W, #, R and H are not"
        )
    is_open = match["first"] in STARS
    first = known.low if is_open else _number(known, match["first"])
    last = first
    if match["last"]:
        last = _number(known, match["last"])
    elif is_open or match["step"]:
        last = known.high
    if last < first:
        raise ValueError(f"the {known.name} {_shown(part)} runs backwards")
    step = int(match["step"] or 1)
    if match["step"] and not 0 < step <= max(last - first, 1):
        raise ValueError(
            f"the {known.name} {_shown(part)} has a step of {step}, which never comes to a second"
            f" value between {first} and {last}"
        )
    return range(first, last + 1, step)


def _number(known: _Field, text: str) -> int:
    if not text.isdecimal():
        number = known.names.get(text.lower())
        if number is None:
            raise ValueError(f"the {known.name} {_shown(text)} is no name of a {known.name}")
        return number
    if not known.low <= int(text) <= known.high:
        raise ValueError(
            f"the {known.name} {_shown(text)} is not within {known.low} to {known.high}{known.hint}"
        )
    return int(text)


def _date_problems(words: list[str], values: list[frozenset[int]]) -> Iterator[str]:
    _, _, days, months, _ = values
    possible = any(day <= LONGEST_MONTHS[month - 1] for day in days for month in months)
    if _is_star(words[5]) and not possible:
        yield f"the day {_shown(words[3])} never comes in the month {_shown(words[4])}"


def _is_star(word: str) -> bool:
    """Whether a field restricts nothing; `*/2` restricts, and so does a list of everything."""
    return any(part in {"*", "?", "*/1", "?/1"} for part in word.split(","))


def _expression(words: list[str], values: list[frozenset[int]]) -> str:
    """Return five fields of plain numbers, in which a day field is `*` exactly if it is no bound.

    If both day fields are bounds and one of them lets every day through, both do: one is enough.
    """
    minutes, hours, days, months, weekdays = (_listed(one) for one in values)
    any_day, any_weekday = _is_star(words[3]), _is_star(words[5])
    if not any_day and not any_weekday:
        lets_all = (len(values[2]) == FIELDS[2].high) or (len(values[4]) == FIELDS[4].high + 1)
        any_day = any_weekday = lets_all
    day = "*" if any_day else days
    return f"{minutes} {hours} {day} {months} {'*' if any_weekday else weekdays}"


def _listed(values: frozenset[int]) -> str:
    return ",".join(str(value) for value in sorted(values))


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_LIMIT else f"{text[:SHOWN_LIMIT]}…")
