# ruff: noqa: DTZ001 - what a wall clock shows has no zone
from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobservice.domain import cron
from jobservice.errors import InvalidRequest
from tests.unit.jobservice.domain import calendar_reference as reference

START = datetime(2027, 2, 26, 10, 7)
MONDAYS = [datetime(2027, 3, day) for day in (1, 8, 15)]


def refusal(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        cron.parse(text)
    return " | ".join(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "has 0 fields, six are needed"),
        ("0 5 * * *", "has 5 fields"),
        ("0 5 * * * * 2030", "has 7 fields"),
        ("@daily", "'@daily' is a shorthand"),
        (" @every 5m", "is a shorthand"),
        ("0 " * 600, "has 1200 characters, 256 are allowed"),
        ("30 5 * * * *", "the second is '30', it must be 0"),
        ("* 5 * * * *", "the second is '*', it must be 0"),
        ("00 5 * * * *", "the second is '00'"),
        ("0 60 * * * *", "the minute '60' is not within 0 to 59"),
        ("0 0 24 * * *", "the hour '24' is not within 0 to 23"),
        ("0 0 0 0 * *", "the day '0' is not within 1 to 31"),
        ("0 0 0 * 13 *", "the month '13' is not within 1 to 12"),
        ("0 0 0 * * 7", "the weekday '7' is not within 0 to 6, 0 is Sunday"),
        ("0 0 0 * * mon-7", "the weekday '7' is not within"),
        ("0 0 0 * foo *", "the month 'foo' is no name of a month"),
        ("0 0 0 * mon *", "the month 'mon' is no name of a month"),
        ("0 jan 0 * * *", "the minute 'jan' is no name of a minute"),
        ("0 0 0 L * *", "the day 'L' is not understood"),
        ("0 0 0 15W * *", "the day '15W' is not understood"),
        ("0 0 0 * * 5#2", "the weekday '5#2' is not understood"),
        ("0 0 0 * * 5L", "the weekday '5L' is not understood"),
        ("0 H * * * *", "the minute 'H' is not understood"),
        ("0 R * * * *", "the minute 'R' is not understood"),
        ("0 1--100000000 * * * *", "the minute '1--100000000' is not understood"),
        ("0 1-100000000 * * * *", "the minute '100000000' is not within"),
        ("0 *-5 * * * *", "the minute '*-5' is not understood"),
        ("0 5-1 * * * *", "the minute '5-1' runs backwards"),
        ("0 0 0 * * fri-mon", "the weekday 'fri-mon' runs backwards"),
        ("0 */0 * * * *", "the minute '*/0' has a step of 0"),
        ("0 */60 * * * *", "the minute '*/60' has a step of 60"),
        ("0 */90 * * * *", "the minute '*/90' has a step of 90"),
        ("0 0 8-10/5 * * *", "the hour '8-10/5' has a step of 5"),
        ("0 , * * * *", "the minute '' is not understood"),
        ("0 1,,2 * * * *", "the minute '' is not understood"),
        ("0 -1 * * * *", "the minute '-1' is not understood"),
        ("0 \u0665 * * * *", "the minute '\u0665' is not understood"),
        ("0 " + "9" * 200 + " * * * *", "the minute '999999999999999999999999…'"),
        ("0 0 0 31 2 *", "the day '31' never comes in the month '2'"),
        ("0 0 0 30 feb ?", "the day '30' never comes in the month 'feb'"),
        ("0 0 0 31 4,6,9,11 *", "never comes in the month"),
    ],
)
def test_what_harbor_does_not_know_is_refused_by_field(text: str, part: str) -> None:
    assert part in refusal(text)


def test_everything_wrong_is_said_at_once() -> None:
    said = refusal("1 60 24 32 13 7")
    assert [name in said for name in ("second", "minute", "hour", "day", "month", "weekday")] == [
        True
    ] * 6


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0 30 2 * * *", [datetime(2027, 2, day, 2, 30) for day in (27, 28)]),
        ("0 */20 * * * *", [datetime(2027, 2, 26, 10, minute) for minute in (20, 40)]),
        ("0 50/5 * * * *", [datetime(2027, 2, 26, 10, minute) for minute in (50, 55)]),
        ("0 0 0 ? * MON", MONDAYS),
        ("0 0 0 * mar-apr mon", MONDAYS),
        ("0 0 0 * * 1", MONDAYS),
        ("0 0 0 29 2 *", [datetime(2028, 2, 29), datetime(2032, 2, 29)]),
        # Both restricted: one is enough.
        ("0 0 0 13 * 1", [*MONDAYS[:2], datetime(2027, 3, 13)]),
        ("0 0 0 31 2 1", [datetime(2028, 2, 7), datetime(2028, 2, 14)]),
        ("0 0 0 1-31 * 1", [datetime(2027, 2, 27), datetime(2027, 2, 28)]),
        ("0 0 0 10 * 0-6", [datetime(2027, 2, 27), datetime(2027, 2, 28)]),
        # A star among others restricts nothing.
        ("0 0 0 *,5 * 1", MONDAYS),
        ("0 0 0 */1 * 1", MONDAYS),
    ],
)
def test_an_expression_names_these_times(text: str, times: list[datetime]) -> None:
    read = cron.parse(text)
    found = [read.next(START)]
    while len(found) < len(times):
        found.append(read.next(found[-1]))
    assert found == times


def test_what_is_asked_for_between_two_seconds_is_not_missed() -> None:
    read = cron.parse("0 8 10 * * *")
    assert read.next(datetime(2027, 2, 26, 10, 7, 59, 999_999)) == datetime(2027, 2, 26, 10, 8)
    assert read.next(datetime(2027, 2, 26, 10, 8, 0, 1)) == datetime(2027, 2, 27, 10, 8)


@pytest.mark.parametrize(
    ("text", "every_minute", "every_hour"),
    [
        ("0 * * * * *", True, True),
        ("0 ? 0 * * *", True, False),
        ("0 */5 0-23 * * *", False, True),
        ("0 0 */2 * * *", False, False),
    ],
)
def test_an_expression_says_what_it_fires_in_each(
    text: str,
    every_minute: bool,  # noqa: FBT001 - a table of facts
    every_hour: bool,  # noqa: FBT001 - a table of facts
) -> None:
    read = cron.parse(text)
    assert (read.is_every_minute, read.is_every_hour) == (every_minute, every_hour)


@settings(deadline=None)  # the machine may be busy
@given(reference.expressions(), st.datetimes(datetime(2024, 1, 1), datetime(2034, 1, 1)))
def test_the_next_time_is_what_looking_minute_by_minute_finds(
    parts: reference.Parts, start: datetime
) -> None:
    expected = reference.next_wall(parts, start, limit=timedelta(days=40))
    found = cron.parse(parts.text).next(start)
    if expected is None:
        assert found - start > timedelta(days=39)
    else:
        assert found == expected


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        assert cron.parse(text).text == text
