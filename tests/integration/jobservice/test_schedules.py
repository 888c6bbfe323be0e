"""Setting up schedules, on a real Postgres."""

from __future__ import annotations

from datetime import timedelta

from database.pool import Database
from jobservice import schedules
from jobservice.domain import schedule as domain
from jobservice.domain.listing import Listing
from jobservice.domain.schedule import Misfire, Schedule, ScheduleOptions, Vendor
from jobservice.store.schedules import NewSchedule

DUE_NOW = """
UPDATE jobservice.schedules SET next_fire_time = now() - interval '2 s', next_fire_at = now()
"""
PURGE = Vendor(type="purge")


def new(
    text: str,
    *,
    enabled: bool = True,
    parameters: dict[str, object] | None = None,
    **options: object,
) -> NewSchedule:
    return NewSchedule(
        vendor=PURGE,
        timing=domain.timing(text, ScheduleOptions(**options)),  # type: ignore[arg-type]  # by name
        enabled=enabled,
        parameters=parameters or {},
    )


async def put(database: Database, wanted: NewSchedule) -> Schedule:
    async with database.transaction() as connection:
        await schedules.put(connection, wanted)
        found = await schedules.of_vendor(connection, wanted.vendor)
    assert found is not None
    return found


async def test_a_schedule_is_kept_as_it_was_said(database: Database) -> None:
    wanted = new(
        "0 30 2 ? * mon-FRI",
        parameters={"hours": 168},
        time_zone="Europe/Berlin",
        jitter_seconds=300,
        misfire=Misfire.SKIP,
    )
    found = await put(database, wanted)
    assert (found.vendor, found.timing, found.parameters) == (PURGE, wanted.timing, {"hours": 168})
    assert found.planned == domain.plan(wanted.timing, PURGE, after=found.updated_at)
    assert (found.last_fire_at, found.last_success_at) == (None, None)


async def test_saving_the_same_again_keeps_the_next_fire_time(database: Database) -> None:
    await put(database, new("0 0 3 * * *"))
    async with database.connection() as connection:
        await connection.execute(DUE_NOW)
    before = await put(database, new("0 0 3 * * *", parameters={"hours": 1}))
    assert before.parameters == {"hours": 1}
    assert before.planned is not None
    assert before.planned.fire_time < before.created_at
    changed = await put(database, new("0 0 4 * * *"))
    assert changed.planned is not None
    assert changed.planned.fire_time > changed.updated_at


async def test_a_disabled_schedule_has_no_next_fire_time_until_it_is_enabled(
    database: Database,
) -> None:
    assert (await put(database, new("0 0 3 * * *", enabled=False))).planned is None
    assert (await put(database, new("0 0 3 * * *"))).planned is not None


async def test_a_schedule_past_its_end_date_has_no_next_fire_time(database: Database) -> None:
    now = (await put(database, new("0 0 3 * * *"))).created_at
    ended = await put(database, new("0 0 3 * * *", ends_at=now - timedelta(days=1)))
    assert (ended.enabled, ended.planned) == (True, None)


async def test_a_vendor_has_one_schedule_and_can_have_none(database: Database) -> None:
    first = await put(database, new("0 0 3 * * *"))
    second = await put(database, new("0 0 4 * * *"))
    assert first.id == second.id
    async with database.transaction() as connection:
        await schedules.remove(connection, PURGE)
        await schedules.remove(connection, PURGE)
        assert await schedules.of_vendor(connection, PURGE) is None
    assert (await schedules.page(database, Listing())).schedules.total == 0


async def test_a_preview_begins_at_postgres_own_time(database: Database) -> None:
    times = (await schedules.preview(database, "0 0 * * * *", ScheduleOptions())).times
    assert len(times) == 5
    async with database.connection() as connection:
        assert times[0] > await connection.fetchval("SELECT now()")
