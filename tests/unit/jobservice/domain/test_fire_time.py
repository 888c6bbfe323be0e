from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobservice.domain import cron, fire_time
from tests.unit.jobservice.domain import calendar_reference as reference

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2027, 3, 27, 12, tzinfo=UTC)  # 02:00 becomes 03:00 at 01:00 UTC on the 28th
AUTUMN = datetime(2027, 10, 30, 12, tzinfo=UTC)  # 03:00 becomes 02:00 at 01:00 UTC on the 31st
# Half an hour, the other half of the year, a whole day skipped, two hours, and none at all.
ZONES = {
    "Europe/Berlin": (SPRING, AUTUMN),
    "America/New_York": (
        datetime(2027, 3, 14, tzinfo=UTC),
        datetime(2027, 11, 7, tzinfo=UTC),
    ),
    "Australia/Lord_Howe": (
        datetime(2027, 10, 2, tzinfo=UTC),
        datetime(2027, 4, 3, tzinfo=UTC),
    ),
    "Pacific/Apia": (datetime(2011, 12, 29, 12, tzinfo=UTC),),
    "Antarctica/Troll": (SPRING, AUTUMN),
    "America/Havana": (
        datetime(2027, 3, 13, 20, tzinfo=UTC),
        datetime(2027, 11, 6, 20, tzinfo=UTC),
    ),
    "Asia/Kolkata": (SPRING,),
    "UTC": (AUTUMN,),
}


def times(text: str, zone: ZoneInfo, start: datetime, count: int) -> list[str]:
    """The wall times, with their offsets, at which it fires."""
    found, moment = [], start
    for _ in range(count):
        moment = fire_time.following(cron.parse(text), zone, moment)
        found.append(moment.astimezone(zone).strftime("%d %H:%M%z"))
    return found


def test_a_skipped_time_fires_once_after_the_gap() -> None:
    assert times("0 30 2 * * *", BERLIN, SPRING, 2) == ["28 03:00+0200", "29 02:30+0200"]
    assert times("0 0,30 2-3 * * *", BERLIN, SPRING, 3) == [
        "28 03:00+0200",
        "28 03:30+0200",
        "29 02:00+0200",
    ]


def test_a_time_that_comes_twice_fires_at_the_first() -> None:
    assert times("0 30 2 * * *", BERLIN, AUTUMN, 2) == ["31 02:30+0200", "01 02:30+0100"]
    between = datetime(2027, 10, 31, 1, 10, tzinfo=UTC)  # 02:10 for the second time
    assert times("0 */5 2 * * *", BERLIN, between, 1) == ["01 02:00+0100"]


def test_an_interval_goes_on_through_both() -> None:
    start = datetime(2027, 3, 28, 0, 15, tzinfo=UTC)
    assert times("0 */30 * * * *", BERLIN, start, 3) == [
        "28 01:30+0100",
        "28 03:00+0200",
        "28 03:30+0200",
    ]
    start = datetime(2027, 10, 31, 0, 15, tzinfo=UTC)
    assert times("0 */30 * * * *", BERLIN, start, 4) == [
        "31 02:30+0200",
        "31 02:00+0100",
        "31 02:30+0100",
        "31 03:00+0100",
    ]


def test_a_day_that_a_zone_leaves_out_fires_at_its_end() -> None:
    # Samoa went from the 29th of December 2011 straight to the 31st.
    start = datetime(2011, 12, 29, 23, 30, tzinfo=UTC)
    assert times("0 15 9 30 12 *", ZoneInfo("Pacific/Apia"), start, 1) == ["31 00:00+1400"]


def test_the_far_future_keeps_the_rules_of_the_zone() -> None:
    start = datetime(2060, 7, 1, tzinfo=UTC)
    assert times("0 0 6 * * *", BERLIN, start, 1) == ["01 06:00+0200"]


def test_an_interval_on_few_days_passes_over_many_changes() -> None:
    assert times("0 0 * 29 2 *", BERLIN, SPRING, 1) == ["29 00:00+0100"]


@pytest.mark.parametrize("name", sorted(ZONES))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_it_fires_when_a_clock_on_the_wall_is_watched_to(name: str, data: st.DataObject) -> None:
    zone = ZoneInfo(name)
    parts = data.draw(reference.expressions())
    around = data.draw(st.sampled_from(ZONES[name]))
    start = around + timedelta(seconds=data.draw(st.integers(0, 24 * 3600)))
    end = start + timedelta(days=2)
    expected = reference.moments(parts, zone, start, end)
    read = cron.parse(parts.text)
    found = []
    moment = fire_time.following(read, zone, start)
    while moment <= end:
        found.append(moment)
        if len(found) > 12 and found == expected[: len(found)]:
            return
        moment = fire_time.following(read, zone, moment)
    assert found == expected
