from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobservice.domain import schedule
from jobservice.domain.schedule import (
    Misfire,
    Planned,
    Schedule,
    ScheduleOptions,
    Timing,
    Vendor,
)
from jobservice.errors import InvalidRequest

NOON = datetime(2027, 5, 3, 12, tzinfo=UTC)  # a Monday
HOUR = timedelta(hours=1)
VENDOR = Vendor(type="test", id=7)


def timing(text: str = "0 0 * * * *", **options: object) -> Timing:
    return schedule.timing(text, ScheduleOptions(**options))  # type: ignore[arg-type]  # by name


def stored(
    when: Timing, *, last_success_at: datetime | None = None, enabled: bool = True
) -> Schedule:
    return Schedule(
        id=1,
        vendor=VENDOR,
        timing=when,
        enabled=enabled,
        planned=None,
        last_fire_at=None,
        last_success_at=last_success_at,
        created_at=NOON,
        updated_at=NOON,
    )


def test_the_next_five_runs_are_shown() -> None:
    hours = [NOON + n * HOUR for n in range(1, 6)]
    assert list(timing().preview(NOON)) == hours


def test_nothing_fires_after_the_end_date_and_something_may_fire_at_it() -> None:
    when = timing(ends_at=NOON + 2 * HOUR)
    assert when.preview(NOON) == (NOON + HOUR, NOON + 2 * HOUR)
    assert schedule.plan(when, VENDOR, after=NOON + 2 * HOUR) is None


def test_everything_wrong_is_said_by_field() -> None:
    for ends_at in (NOON.replace(tzinfo=None), NOON.replace(year=1), NOON.replace(year=9999)):
        options = ScheduleOptions(time_zone="Mars/Olympus", jitter_seconds=3601, ends_at=ends_at)
        with pytest.raises(InvalidRequest) as caught:
            schedule.timing("0 61 * * * 9", options)
        fields = [problem.partition(":")[0] for problem in caught.value.problems]
        assert fields == ["cron", "cron", "time_zone", "jitter_seconds", "ends_at"]


def test_without_jitter_a_run_is_due_at_its_fire_time() -> None:
    assert schedule.plan(timing(), VENDOR, after=NOON) == Planned(
        fire_time=NOON + HOUR, due_at=NOON + HOUR
    )


@settings(deadline=None)  # the machine may be busy
@given(
    st.integers(0, schedule.JITTER_LIMIT_SECONDS),
    st.integers(1, 2**40),
    st.sampled_from(["0 * * * * *", "0 */7 * * * *", "0 0 3 * * *"]),
)
def test_jitter_is_bounded_and_the_same_for_everybody(
    jitter: int, vendor_id: int, text: str
) -> None:
    when, vendor = timing(text, jitter_seconds=jitter), Vendor(type="test", id=vendor_id)
    after, due = NOON, []
    for _ in range(5):
        planned = schedule.plan(when, vendor, after=after)
        assert planned == schedule.plan(when, vendor, after=after)
        assert planned is not None
        assert timedelta() <= planned.due_at - planned.fire_time <= timedelta(seconds=jitter)
        due.append(planned)
        after = planned.fire_time
    # No run is due when the next one's fire time has come.
    assert all(one.due_at < next_one.fire_time for one, next_one in pairwise(due))


def test_what_was_planned_is_planned_anew_where_that_is_sooner() -> None:
    planned = Planned(fire_time=NOON + HOUR, due_at=NOON + HOUR)
    for known in (planned, Planned(fire_time=NOON + 9 * HOUR, due_at=NOON + 9 * HOUR), None):
        row = replace(stored(timing()), planned=known)
        assert schedule.plan_anew(row, now=NOON) == planned
    due = replace(stored(timing()), planned=planned)
    assert schedule.plan_anew(due, now=NOON + HOUR) == planned
    ended = stored(timing(ends_at=NOON))
    assert schedule.plan_anew(ended, now=NOON) is None


def test_jitter_spreads_what_fires_at_the_same_time() -> None:
    when = timing("0 0 0 * * *", jitter_seconds=600)
    due = {
        planned.due_at
        for n in range(200)
        if (planned := schedule.plan(when, Vendor(type="test", id=n), after=NOON))
    }
    assert len(due) > 150
    assert max(due) - min(due) > timedelta(seconds=500)


def test_the_last_run_before_the_end_date_keeps_its_jitter() -> None:
    when = timing(ends_at=NOON + HOUR, jitter_seconds=600)
    planned = schedule.plan(when, VENDOR, after=NOON)
    assert planned is not None
    assert planned.fire_time == NOON + HOUR
    assert planned.due_at <= NOON + HOUR + timedelta(seconds=600)


PLANNED = Planned(fire_time=NOON, due_at=NOON + timedelta(seconds=5))


@pytest.mark.parametrize("misfire", Misfire)
def test_on_time_it_starts_and_the_fire_time_after_this_one_is_next(misfire: Misfire) -> None:
    row = stored(timing("0 * * * * *", misfire=misfire))
    decision = schedule.decide(row, PLANNED, now=PLANNED.due_at + schedule.ON_TIME)
    assert (decision.starts, decision.detail) == (True, "")
    # 12:01 is past already and is not left out.
    assert decision.planned is not None
    assert decision.planned.fire_time == NOON + timedelta(minutes=1)


def test_late_it_runs_once_for_everything_that_came_due() -> None:
    row = stored(timing("0 * * * * *", misfire=Misfire.RUN_ONCE))
    decision = schedule.decide(row, PLANNED, now=NOON + timedelta(hours=3, seconds=10))
    assert decision.starts
    assert "late by 3:00:05" in decision.detail
    assert decision.planned is not None
    assert decision.planned.fire_time == NOON + timedelta(hours=3, minutes=1)


def test_after_its_end_date_nothing_starts_late() -> None:
    row = stored(timing("0 * * * * *", ends_at=NOON + HOUR))
    assert schedule.decide(row, PLANNED, now=NOON + HOUR).starts
    decision = schedule.decide(row, PLANNED, now=NOON + HOUR + timedelta(seconds=1))
    assert (decision.starts, decision.planned) == (False, None)
    assert "its end date has passed" in decision.detail


def test_late_it_skips_where_it_is_told_to() -> None:
    row = stored(timing("0 * * * * *", misfire=Misfire.SKIP))
    decision = schedule.decide(row, PLANNED, now=NOON + timedelta(hours=3, seconds=10))
    assert not decision.starts
    assert "nobody could fire it for 3:00:05; skipped" in decision.detail
    assert decision.planned is not None
    assert decision.planned.fire_time == NOON + timedelta(hours=3, minutes=1)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.sampled_from(Misfire))
def test_however_the_scheduler_ticks_fire_times_rise_and_none_on_time_is_left_out(
    pauses: list[int], misfire: Misfire
) -> None:
    row = stored(timing("0 */2 * * * *", misfire=misfire, jitter_seconds=30))
    planned, now = schedule.plan(row.timing, VENDOR, after=NOON), NOON
    fired: list[tuple[datetime, bool]] = []
    for pause in pauses:
        now += timedelta(seconds=pause)
        while planned is not None and planned.due_at <= now:
            decision = schedule.decide(row, planned, now=now)
            fired.append((planned.fire_time, not decision.detail))
            planned = decision.planned
    times = [fire_time for fire_time, _ in fired]
    assert times == sorted(set(times))
    for (earlier, on_time), (later, _) in pairwise(fired):
        if on_time:
            assert later == earlier + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("last_success", "now", "overdue"),
    [
        # Made at noon, runs at one: it has until two.
        (None, 2.0, False),
        (None, 2.01, True),
        # Succeeded at half past one: what runs at two has until three.
        (1.5, 3.0, False),
        (1.5, 3.01, True),
        # A success of before it was changed says nothing of what it is now.
        (-5, 2.0, False),
    ],
)
def test_a_schedule_is_overdue_when_a_run_had_its_time_and_did_not_succeed(
    last_success: float | None,
    now: float,
    overdue: bool,  # noqa: FBT001 - a table of facts
) -> None:
    succeeded = None if last_success is None else NOON + last_success * HOUR
    row = stored(timing(), last_success_at=succeeded)
    assert schedule.is_overdue(row, now=NOON + now * HOUR) is overdue


def test_a_run_every_minute_has_a_quarter_of_an_hour() -> None:
    row, minute = stored(timing("0 * * * * *")), timedelta(minutes=1)
    late = [n for n in range(30) if schedule.is_overdue(row, now=NOON + n * minute)]
    assert late == list(range(17, 30))


def test_jitter_gives_a_run_more_time() -> None:
    row = stored(timing(jitter_seconds=600))
    assert not schedule.is_overdue(row, now=NOON + 2 * HOUR + timedelta(seconds=600))


def test_what_has_ended_or_is_disabled_is_not_overdue() -> None:
    much_later = NOON + 99 * HOUR
    assert not schedule.is_overdue(stored(timing(ends_at=NOON)), now=much_later)
    assert not schedule.is_overdue(stored(timing(), enabled=False), now=much_later)


def test_what_is_said_beside_an_expression_survives_its_way_through_json() -> None:
    options = ScheduleOptions(
        time_zone="Europe/Berlin", jitter_seconds=3, misfire=Misfire.SKIP, ends_at=NOON
    )
    for said in (options, ScheduleOptions()):
        assert ScheduleOptions.from_json(json.loads(json.dumps(said.to_json()))) == said
    assert ScheduleOptions.from_json({}) == ScheduleOptions()


def test_fire_times_go_on_without_an_end_date() -> None:
    assert len(list(islice(timing().fire_times(NOON), 100))) == 100
