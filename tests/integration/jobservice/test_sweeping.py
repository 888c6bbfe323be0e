"""History is forgotten by age and by count, a little at a time, and never what is unfinished."""

from __future__ import annotations

import asyncio

import pytest

from database.pool import Database
from jobservice.maintenance.sweeper import Sweeper
from jobservice.store import sweeping
from jobservice.store.sweeping import Forgotten, Keep
from tests.integration.jobservice.conftest import Jobs

pytestmark = pytest.mark.usefixtures("planted")
EVERYTHING = Keep(executions=0, days=0, log_days=0, log_bytes=0)
DEADLINE_SECONDS = 20

ADD = """
INSERT INTO jobservice.executions
    (vendor_type, vendor_id, trigger, policy_snapshot, total, succeeded, plan_status, started_at,
     created_at)
SELECT $1, $2, 'scheduled', '{}', $3, $3, 'succeeded', now(), now() - $4 * interval '1 day'
RETURNING id
"""
ADD_TASKS = """
WITH task AS (
    INSERT INTO jobservice.tasks
        (execution_id, job_type, queue, page, ordinal, status, ended_at)
    SELECT $1, 'act', 'transfer', 1, number, 'succeeded', now()
    FROM generate_series(1, $2::integer) AS number
    RETURNING id
), chunk AS (
    INSERT INTO jobservice.task_log_chunks (task_id, fence, sequence, text, created_at)
    SELECT id, 1, 1, repeat('x', 100), now() - $3 * interval '1 day' FROM task
)
INSERT INTO jobservice.task_events
    (task_id, execution_id, was, becomes, delivery, attempt, fence, reason)
SELECT id, $1, 'running', 'succeeded', 1, 1, 1, '' FROM task
"""
OUTCOME = "INSERT INTO jobservice.outcomes (execution_id, reason, count) VALUES ($1, 'filtered', 2)"
# The roll-up sets when an execution ended; here it ended long ago.
ENDED = """
ALTER TABLE jobservice.executions DISABLE TRIGGER executions_roll_up;
UPDATE jobservice.executions SET ended_at = created_at WHERE ended_at IS NOT NULL;
ALTER TABLE jobservice.executions ENABLE TRIGGER executions_roll_up;
"""


async def old(
    database: Database, *, days: float = 0, tasks: int = 1, vendor: str = "GC", vendor_id: int = 1
) -> int:
    """Add an execution that ended so many days ago."""
    async with database.transaction() as connection:
        execution_id: int = await connection.fetchval(ADD, vendor, vendor_id, tasks, days)
        await connection.execute(ADD_TASKS, execution_id, tasks, days)
        await connection.execute(OUTCOME, execution_id)
        await connection.execute(ENDED)
    return execution_id


async def left(database: Database) -> list[int]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT id FROM jobservice.executions ORDER BY id")
    return [row["id"] for row in rows]


async def counts(jobs: Jobs) -> list[int]:
    tables = ("tasks", "task_events", "task_log_chunks", "outcomes")
    return [await jobs.one(f"SELECT count(*) FROM jobservice.{table}") for table in tables]  # noqa: S608


def keeping(*, executions: int = 0, days: int = 0, log_days: int = 0, log_bytes: int = 0) -> Keep:
    return Keep(executions=executions, days=days, log_days=log_days, log_bytes=log_bytes)


async def test_what_is_kept_for_ever_is_kept(database: Database) -> None:
    execution_id = await old(database, days=5000)
    await Sweeper(database, EVERYTHING).tick()
    assert await left(database) == [execution_id]


async def test_the_newest_of_each_policy_are_kept(database: Database) -> None:
    first = [await old(database) for _ in range(4)]
    other = [await old(database, vendor_id=2) for _ in range(2)]
    alien = await old(database, vendor="RETENTION")
    await Sweeper(database, keeping(executions=2)).tick()
    assert await left(database) == [*first[2:], *other, alien]


async def test_what_is_old_goes_with_all_that_belongs_to_it(
    database: Database, jobs_at: Jobs
) -> None:
    await old(database, days=91, tasks=3)
    young = await old(database, days=89, tasks=2)
    await Sweeper(database, keeping(days=90)).tick()
    assert await left(database) == [young]
    assert await counts(jobs_at) == [2, 2, 2, 1]


async def test_the_last_run_of_a_policy_is_remembered_however_old(database: Database) -> None:
    await old(database, days=300)
    newest = await old(database, days=200)
    await Sweeper(database, keeping(days=90)).tick()
    assert await left(database) == [newest]


async def test_the_unfinished_is_never_swept(database: Database, jobs_at: Jobs) -> None:
    unfinished = [await jobs_at.start() for _ in range(3)]
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE jobservice.executions SET created_at = now() - interval '1 year'"
        )
    await Sweeper(database, keeping(executions=1, days=1)).tick()
    assert await left(database) == unfinished


async def test_many_tasks_go_in_batches_and_a_round_that_ends_is_taken_up(
    database: Database, jobs_at: Jobs
) -> None:
    large = await old(database, days=91, tasks=2500)
    newest = await old(database)
    async with database.transaction() as connection:
        assert await sweeping.forget(connection, large) is Forgotten.PARTLY
    assert await jobs_at.one("SELECT count(*) FROM jobservice.tasks") == 1501
    # Begun is to be ended, also where the settings have changed since.
    await Sweeper(database, EVERYTHING).tick()
    assert await left(database) == [newest]


async def test_what_a_retention_decided_that_nobody_approved_goes_in_batches(
    database: Database, jobs_at: Jobs
) -> None:
    run = await old(database, vendor="RETENTION")
    await jobs_at.one(
        """INSERT INTO jobservice.retention_decisions (execution_id, round, repository, reference)
           SELECT $1, 1, 'team/app', number::text FROM generate_series(1, $2::int) AS number
           RETURNING 1""",
        run,
        sweeping.DECISIONS_AT_ONCE + 1,
    )
    outcomes = []
    while Forgotten.GONE not in outcomes:
        async with database.transaction() as connection:
            outcomes.append(await sweeping.forget(connection, run))
    assert outcomes == [Forgotten.PARTLY, Forgotten.GONE]
    assert await jobs_at.one("SELECT count(*) FROM jobservice.retention_decisions") == 0


async def test_what_somebody_holds_is_left_without_waiting(
    database: Database, jobs_at: Jobs
) -> None:
    held, free = await old(database, days=91), await old(database, days=91)
    newest = await old(database)
    sweeper = Sweeper(database, keeping(days=90))
    async with database.transaction() as connection:
        await connection.execute(
            "SELECT FROM jobservice.tasks WHERE execution_id = $1 FOR UPDATE", held
        )
        async with asyncio.timeout(DEADLINE_SECONDS):
            await sweeper.tick()
        assert await left(database) == [held, newest]
        assert free not in await left(database)
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM jobservice.executions WHERE id = $1 FOR UPDATE", held)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await sweeper.tick()
    assert await left(database) == [held, newest]
    await sweeper.tick()
    assert await left(database) == [newest]
    assert await jobs_at.one("SELECT count(*) FROM jobservice.tasks") == 1


async def test_a_round_ends_in_time(database: Database) -> None:
    await old(database, days=91)
    await old(database)
    ticks = iter(range(0, 10_000, 15))
    sweeper = Sweeper(database, keeping(days=90), clock=lambda: float(next(ticks)))
    await sweeper.tick()
    assert len(await left(database)) == 2


async def test_logs_go_before_their_tasks_do(database: Database, jobs_at: Jobs) -> None:
    await old(database, days=31, tasks=700)
    await old(database, days=29, tasks=2)
    await Sweeper(database, keeping(log_days=30)).tick()
    assert await counts(jobs_at) == [702, 702, 2, 2]


async def test_all_logs_together_have_a_limit_and_the_oldest_go_first(
    database: Database, jobs_at: Jobs
) -> None:
    await old(database, days=3, tasks=700)
    newest = await old(database, days=1, tasks=300)
    await Sweeper(database, keeping(log_bytes=50_000)).tick()
    assert await jobs_at.one("SELECT sum(octet_length(text)) FROM jobservice.task_log_chunks") <= (
        50_000
    )
    owners = (
        "SELECT DISTINCT execution_id FROM jobservice.tasks AS task"
        " JOIN jobservice.task_log_chunks ON task_id = task.id"
    )
    assert await jobs_at.one(owners) == newest


async def test_a_worker_that_died_yesterday_is_forgotten(database: Database, jobs_at: Jobs) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO jobservice.workers (host, pid, version, job_types, slots, heartbeat_at)"
            " SELECT 'h', 1, '1', '{}', '{}', now() - number * interval '1 hour'"
            " FROM generate_series(20, 30) AS number"
        )
    await Sweeper(database, EVERYTHING).tick()
    assert await jobs_at.one("SELECT count(*) FROM jobservice.workers") == 4


async def test_twenty_thousand_executions_are_looked_at_quickly(
    database: Database,
) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO jobservice.executions (vendor_type, vendor_id, trigger, policy_snapshot,"
            " plan_status) SELECT 'GC', number % 100, 'scheduled', '{}', 'succeeded'"
            " FROM generate_series(1, 20000) AS number"
        )
        async with asyncio.timeout(5):
            assert len(await sweeping.doomed(connection, keeping(executions=50, days=90))) == 200
