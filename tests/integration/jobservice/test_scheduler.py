"""The scheduler on a real Postgres: each fire time once, whatever happens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from database.pool import Connection, Database
from jobservice import pauses, schedules
from jobservice.domain import schedule as domain
from jobservice.domain.listing import Equals, Listing, Order
from jobservice.domain.pause import Held, PauseScope
from jobservice.domain.schedule import Fire, Misfire, Schedule, ScheduleOptions, Vendor
from jobservice.maintenance import service
from jobservice.maintenance.scheduler import Scheduler
from jobservice.maintenance.service import Service
from jobservice.store.schedules import NewSchedule
from tests.fakes import schedulers
from tests.integration.jobservice.conftest import until, working_at

NOON = datetime(2027, 5, 3, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass
class Clock:
    """Postgres' clock, as the test sets it."""

    now: datetime = NOON

    async def __call__(self, connection: Connection) -> datetime:
        del connection
        return self.now


@dataclass
class House:
    """Schedules on one database, and a scheduler with a clock to turn."""

    database: Database
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.database, schedulers.STARTERS, clock=self.clock)

    async def schedule(
        self,
        text: str,
        vendor_id: int = 1,
        *,
        parameters: dict[str, str] | None = None,
        vendor_type: str = schedulers.VENDOR_TYPE,
        **options: Any,
    ) -> int:
        """Set a schedule as of the clock's time."""
        new = NewSchedule(
            vendor=Vendor(type=vendor_type, id=vendor_id),
            timing=domain.timing(text, ScheduleOptions(**options)),
            parameters=parameters or {},
        )
        planned = domain.plan(new.timing, new.vendor, after=self.clock.now)
        async with self.database.transaction() as connection:
            schedule_id = await schedules.put(connection, new)
            await connection.execute(PLAN, schedule_id, planned.fire_time, planned.due_at)  # type: ignore[union-attr]  # no end date
        return schedule_id

    async def at(self, now: datetime) -> None:
        """Tick at a time."""
        self.clock.now = now
        await self.scheduler.tick()

    async def fires(self, schedule_id: int) -> list[Fire]:
        """What became of the fire times, the first one first."""
        listing = Listing(
            conditions=(Equals(field="schedule_id", value=schedule_id),),
            order=(Order(field="fire_time"),),
            page_size=10_000,
        )
        return list((await schedules.fires(self.database, schedule_id, listing)).items)

    async def fired(self, schedule_id: int) -> list[tuple[str, str]]:
        """The same, as (wall time in UTC, outcome)."""
        fires = await self.fires(schedule_id)
        return [(f"{one.fire_time:%d %H:%M}", one.outcome.value) for one in fires]

    async def get(self, schedule_id: int) -> Schedule:
        return (await schedules.get(self.database, schedule_id)).schedule

    async def one(self, query: str, *args: object) -> Any:
        async with self.database.connection() as connection:
            return await connection.fetchval(query, *args)


PLAN = "UPDATE jobservice.schedules SET next_fire_time = $2, next_fire_at = $3 WHERE id = $1"
EXECUTIONS = "SELECT count(*) FROM jobservice.executions"
# An execution without a task that ends, as its settling would write it.
SETTLE = """
WITH gone AS (DELETE FROM jobservice.tasks WHERE execution_id = $1)
UPDATE jobservice.executions SET plan_status = $2, started_at = now() WHERE id = $1
"""
RETRIED = """
UPDATE jobservice.executions SET plan_status = 'succeeded', ended_at = $2 WHERE id = $1
"""
OLD_FIRES = """
INSERT INTO jobservice.schedule_fires (schedule_id, fire_time, fired_at, outcome, detail)
SELECT $1, $2::timestamptz - number * interval '1 min', $2, 'skipped', 'of old'
FROM generate_series(1, 1100) AS number
"""
ENDED_AT = "SELECT ended_at FROM jobservice.executions WHERE id = $1"


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


async def test_a_fire_time_starts_one_execution_that_knows_its_schedule(house: House) -> None:
    schedule_id = await house.schedule("0 */5 * * * *")
    await house.at(NOON + 4 * MINUTE)
    assert await house.fires(schedule_id) == []
    await house.at(NOON + 5 * MINUTE)
    await house.at(NOON + 5 * MINUTE)
    (fire,) = await house.fires(schedule_id)
    assert (fire.fire_time, fire.outcome, fire.detail) == (NOON + 5 * MINUTE, "started", "")
    by_schedule = "SELECT id FROM jobservice.executions WHERE schedule_id = $1"
    assert await house.one(by_schedule, schedule_id) == fire.execution_id
    row = await house.get(schedule_id)
    assert row.last_fire_at == NOON + 5 * MINUTE
    assert row.planned is not None
    assert row.planned.fire_time == NOON + 10 * MINUTE


async def test_a_few_seconds_late_no_fire_time_is_left_out(house: House) -> None:
    schedule_id = await house.schedule("0 * * * * *")
    await house.at(NOON + 2 * MINUTE)
    await house.at(NOON + 3 * MINUTE)
    times = [fire.fire_time for fire in await house.fires(schedule_id)]
    assert times == [NOON + n * MINUTE for n in (1, 2, 3)]


async def test_after_an_outage_a_schedule_runs_once_or_not_at_all(house: House) -> None:
    once = await house.schedule("0 */5 * * * *", 1)
    skips = await house.schedule("0 */5 * * * *", 2, misfire=Misfire.SKIP)
    await house.at(NOON + 3 * HOUR + MINUTE)
    assert await house.fired(once) == [("03 12:05", "started")]
    assert await house.fired(skips) == [("03 12:05", "skipped")]
    for schedule_id in (once, skips):
        assert "2:56:00" in (await house.fires(schedule_id))[0].detail
        planned = (await house.get(schedule_id)).planned
        assert planned is not None
        assert planned.fire_time == NOON + 3 * HOUR + 5 * MINUTE
    assert await house.one(EXECUTIONS) == 1


async def test_a_clock_that_jumps_back_fires_nothing_twice(house: House) -> None:
    schedule_id = await house.schedule("0 0 * * * *")
    await house.at(NOON + HOUR)
    await house.at(NOON - 5 * HOUR)
    # Somebody changes the schedule while the clock is behind, so that it plans 13:00 once more.
    await house.schedule("0 0 13 * * *")
    await house.at(NOON + HOUR)
    assert await house.fired(schedule_id) == [("03 13:00", "started")]
    assert await house.one(EXECUTIONS) == 1
    await house.at(NOON + 25 * HOUR)
    assert await house.fired(schedule_id) == [("03 13:00", "started"), ("04 13:00", "started")]


async def test_a_clock_that_was_far_ahead_keeps_no_schedule_waiting_for_that_future(
    house: House,
) -> None:
    schedule_id = await house.schedule("0 0 * * * *", ends_at=NOON + timedelta(days=300))
    await house.at(NOON + timedelta(days=365))
    assert (await house.get(schedule_id)).planned is None
    await house.at(NOON + 0.5 * HOUR)
    await house.at(NOON + HOUR)
    for hours in (2, 3):
        await house.at(NOON + hours * HOUR)
    assert await house.fired(schedule_id) == [
        ("03 13:00", "skipped"),
        ("03 14:00", "started"),
        ("03 15:00", "started"),
    ]


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        # 02:00 becomes 03:00 at 01:00 UTC.
        ("0 30 2 * * *", datetime(2027, 3, 27, 12, tzinfo=UTC), ["28 01:00", "29 00:30"]),
        # 03:00 becomes 02:00 at 01:00 UTC.
        ("0 30 2 * * *", datetime(2027, 10, 30, 12, tzinfo=UTC), ["31 00:30", "01 01:30"]),
        (
            "0 */30 * * * *",
            datetime(2027, 10, 31, 0, 10, tzinfo=UTC),
            ["31 00:30", "31 01:00", "31 01:30", "31 02:00"],
        ),
    ],
)
async def test_a_night_in_which_the_clocks_change(
    house: House, text: str, start: datetime, expected: list[str]
) -> None:
    house.clock.now = start
    schedule_id = await house.schedule(text, time_zone="Europe/Berlin")
    now = start
    while len(await house.fires(schedule_id)) < len(expected):
        now += 10 * MINUTE
        await house.at(now)
        assert now - start < timedelta(days=3)
    assert await house.fired(schedule_id) == [(time, "started") for time in expected]


async def test_jitter_delays_a_run_and_not_its_fire_time(house: House) -> None:
    schedule_id = await house.schedule("0 0 * * * *", jitter_seconds=600)
    planned = (await house.get(schedule_id)).planned
    assert planned is not None
    assert planned.due_at > planned.fire_time
    await house.at(planned.due_at - timedelta(seconds=1))
    assert await house.fires(schedule_id) == []
    await house.at(planned.due_at)
    assert await house.fired(schedule_id) == [("03 13:00", "started")]


async def test_after_its_end_date_a_schedule_rests(house: House) -> None:
    schedule_id = await house.schedule("0 0 * * * *", ends_at=NOON + HOUR)
    await house.at(NOON + HOUR)
    await house.at(NOON + 5 * HOUR)
    assert await house.fired(schedule_id) == [("03 13:00", "started")]
    assert (await house.get(schedule_id)).planned is None


async def test_what_may_not_start_is_refused_with_its_reason_and_leaves_nothing(
    house: House,
) -> None:
    schedule_id = await house.schedule("0 0 * * * *", parameters={"then": "refuse"})
    await house.at(NOON + HOUR)
    await house.at(NOON + 2 * HOUR)
    fires = await house.fires(schedule_id)
    assert [fire.outcome for fire in fires] == ["refused", "refused"]
    assert fires[0].detail == "it is not in the mood"
    assert await house.one(EXECUTIONS) == 0


async def test_a_defect_of_one_keeps_no_other_from_firing(house: House) -> None:
    broken = await house.schedule("0 0 * * * *", 1, parameters={"then": "break"})
    sound = await house.schedule("0 0 * * * *", 2)
    await house.at(NOON + HOUR)
    assert await house.fires(broken) == []
    assert await house.fired(sound) == [("03 13:00", "started")]
    # It stays due: the release that mends it fires it.
    await house.schedule("0 0 * * * *", 1)
    await house.one(PLAN, broken, NOON + HOUR, NOON + HOUR)
    await house.at(NOON + HOUR + timedelta(seconds=30))
    assert await house.fired(broken) == [("03 13:00", "started")]


async def test_the_schedules_of_a_later_release_are_left_to_it(house: House) -> None:
    schedule_id = await house.schedule("0 0 * * * *", vendor_type="of_tomorrow")
    await house.at(NOON + HOUR)
    assert await house.fires(schedule_id) == []


@pytest.mark.parametrize("scope", [PauseScope.SCHEDULES, PauseScope.EVERYTHING])
async def test_paused_schedules_fire_nothing_and_what_is_late_decides_when_they_go_on(
    house: House, scope: PauseScope
) -> None:
    once = await house.schedule("0 0 * * * *", 1)
    skips = await house.schedule("0 0 * * * *", 2, misfire=Misfire.SKIP)
    await pauses.pause(house.database, Held(scope=scope), by="alice", comment="moving house")
    await house.at(NOON + HOUR)
    await house.at(NOON + 3 * HOUR + MINUTE)
    assert await house.fires(once) == []
    found = await schedules.get(house.database, once)
    assert found.pause is not None
    assert (found.pause.paused_by, found.pause.comment) == ("alice", "moving house")
    await pauses.resume(house.database, Held(scope=scope))
    await house.at(NOON + 3 * HOUR + 2 * MINUTE)
    assert await house.fired(once) == [("03 13:00", "started")]
    assert await house.fired(skips) == [("03 13:00", "skipped")]
    assert (await schedules.get(house.database, once)).pause is None


async def test_the_last_success_is_kept_and_a_failure_is_none(house: House) -> None:
    schedule_id = await house.schedule("0 0 * * * *")
    await house.at(NOON + HOUR)
    await house.at(NOON + 2 * HOUR)
    failed, succeeded = (fire.execution_id for fire in await house.fires(schedule_id))
    await house.one(SETTLE, failed, "failed")
    assert (await house.get(schedule_id)).last_success_at is None
    await house.one(SETTLE, succeeded, "succeeded")
    ended_at = await house.one(ENDED_AT, succeeded)
    assert (await house.get(schedule_id)).last_success_at == ended_at
    # One of before that is settled late says nothing newer.
    await house.one(RETRIED, failed, ended_at - HOUR)
    assert (await house.get(schedule_id)).last_success_at == ended_at


async def test_a_success_after_the_schedule_is_gone_hurts_nobody(house: House) -> None:
    schedule_id = await house.schedule("0 0 * * * *")
    await house.at(NOON + HOUR)
    (fire,) = await house.fires(schedule_id)
    async with house.database.transaction() as connection:
        await schedules.remove(connection, Vendor(type=schedulers.VENDOR_TYPE, id=1))
    await house.one(SETTLE, fire.execution_id, "succeeded")
    assert await house.one(EXECUTIONS) == 1


@pytest.mark.parametrize(("days", "kept"), [(1, 1101), (80, 1101), (200, 1000)])
async def test_what_became_of_fire_times_is_kept_for_ninety_days_and_a_thousand_times(
    house: House, days: int, kept: int
) -> None:
    schedule_id = await house.schedule("0 0 * * * *")
    await house.one(OLD_FIRES, schedule_id, NOON - timedelta(days=days))
    await house.at(NOON + HOUR)
    fires = await house.fires(schedule_id)
    assert len(fires) == kept
    assert fires[-1].fire_time == NOON + HOUR


async def test_it_sleeps_until_the_next_fire_time_and_is_woken_by_a_change(
    database: Database,
) -> None:
    """With Postgres' own clock: a schedule that is set while it sleeps fires when it is due."""
    scheduler = Scheduler(database, schedulers.STARTERS)
    chore = scheduler.service()
    stop = asyncio.Event()
    house = House(database)
    async with asyncio.TaskGroup() as group:
        connected = asyncio.Event()
        listener = group.create_task(
            database.listen(
                chore.channel, lambda _name, _text: chore.wake.set(), on_connect=connected.set
            )
        )
        running = group.create_task(service.run(chore, stop))
        await connected.wait()
        schedule_id = await house.schedule("0 0 0 1 1 *")
        async with database.transaction() as connection:
            now = await connection.fetchval("SELECT now()")
            soon = now + timedelta(seconds=0.5)
            await connection.execute(PLAN, schedule_id, soon, soon)
            await connection.execute("SELECT pg_notify($1, '')", chore.channel)

        async def has_fired() -> bool:
            return bool(await house.fires(schedule_id))

        await until(has_fired, 10)
        (fire,) = await house.fires(schedule_id)
        # Far less than its look of every thirty seconds.
        assert timedelta() <= fire.fired_at - fire.fire_time < timedelta(seconds=5)
        stop.set()
        chore.wake.set()
        listener.cancel()
        await running


async def test_workers_fire_what_is_due_run_it_and_remember_that_it_succeeded(
    house: House, dsn: str, valkey_url: str
) -> None:
    def chores(database: Database) -> tuple[Service, ...]:
        return (Scheduler(database, schedulers.STARTERS).service(),)

    schedule_id = await house.schedule("0 0 0 1 1 *")
    two = [working_at(dsn, valkey_url, chores=chores) for _ in range(2)]
    async with two[0], two[1]:
        now = await house.one("SELECT now()")
        await house.one(PLAN, schedule_id, now, now)
        await house.one("SELECT pg_notify('jobservice_schedules', '')")

        async def has_succeeded() -> bool:
            return (await house.get(schedule_id)).last_success_at is not None

        await until(has_succeeded)
    (fire,) = await house.fires(schedule_id)
    assert (fire.fire_time, fire.outcome) == (now, "started")
    ended_at = await house.one(ENDED_AT, fire.execution_id)
    assert (await house.get(schedule_id)).last_success_at == ended_at
    assert await house.one(EXECUTIONS) == 1
