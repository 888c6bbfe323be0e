"""The invariants can fail: each finds the violation that is planted for it."""
# ruff: noqa: S608 - queries are made of this module's constants

from __future__ import annotations

import asyncpg
import pytest

from database.pool import Database
from jobservice.maintenance import outbox_reader
from jobservice.maintenance.service import Service
from tests import invariants
from tests.integration.jobservice.conftest import Jobs, Worker, until, working_at

# The schema forbids most of this; what forbids it is taken away first.
UNGUARD = """
SET session_replication_role = replica;
ALTER TABLE jobservice.tasks
    DROP CONSTRAINT tasks_running_has_lease, DROP CONSTRAINT tasks_ended_when_final,
    DROP CONSTRAINT tasks_failed_says_why;
ALTER TABLE jobservice.executions DROP CONSTRAINT executions_ended_when_final;
DROP INDEX jobservice.tasks_unique;
DROP INDEX jobservice.executions_single_active;
"""
PLAN = "(SELECT id FROM jobservice.tasks WHERE is_plan)"
TASK = "(SELECT min(id) FROM jobservice.tasks WHERE NOT is_plan)"
LAST = f"(SELECT max(id) FROM jobservice.task_events WHERE task_id = {TASK})"
PLANTED = {
    "an execution's counters are the counts of its tasks": (
        "UPDATE jobservice.executions SET total = total + 1"
    ),
    "an execution knows how its plan ended": (
        "UPDATE jobservice.executions SET plan_status = 'stopped'"
    ),
    "an execution's status is the roll-up of its tasks": (
        "UPDATE jobservice.executions SET status = 'stopped'"
    ),
    "nothing is unfinished in an ended execution": (
        f"UPDATE jobservice.tasks SET status = 'pending', ended_at = NULL WHERE id = {TASK}"
    ),
    "a task belongs to an execution": (
        f"UPDATE jobservice.tasks SET execution_id = 0 WHERE id = {TASK}"
    ),
    "an execution with a task that began has begun": (
        "UPDATE jobservice.executions SET started_at = NULL"
    ),
    "every transition is a legal one": (
        f"UPDATE jobservice.task_events SET was = 'pending' WHERE id = {LAST}"
    ),
    "a task's events form a chain": (
        f"DELETE FROM jobservice.task_events WHERE task_id = {TASK} AND becomes = 'running'"
    ),
    "a task is as its last event left it": (
        f"DELETE FROM jobservice.task_events WHERE id = {LAST}"
    ),
    "a delivery rises by one with a dispatch and else stays": (
        f"UPDATE jobservice.task_events SET delivery = 0 WHERE id = {LAST}"
    ),
    "a fence rises by one with a claim and else stays": (
        f"UPDATE jobservice.task_events SET fence = 0 WHERE id = {LAST}"
    ),
    "an attempt is spent by a failure alone and given back by an operator": (
        f"UPDATE jobservice.task_events SET attempt = 2 WHERE id = {LAST}"
    ),
    "a delivery is claimed once": f"""
        INSERT INTO jobservice.task_events
            (task_id, execution_id, was, becomes, delivery, attempt, fence, reason)
        SELECT task_id, execution_id, was, becomes, delivery, attempt, fence + 1, ''
        FROM jobservice.task_events WHERE task_id = {TASK} AND becomes = 'running'
    """,
    "a claim ends once": f"""
        INSERT INTO jobservice.task_events
            (task_id, execution_id, was, becomes, delivery, attempt, fence, reason)
        SELECT task_id, execution_id, 'running', 'pending', delivery, attempt, fence, ''
        FROM jobservice.task_events WHERE id = {LAST}
    """,
    "a task succeeds once": f"""
        INSERT INTO jobservice.task_events
            (task_id, execution_id, was, becomes, delivery, attempt, fence, reason)
        SELECT task_id, execution_id, was, becomes, delivery + 1, attempt, fence + 1, ''
        FROM jobservice.task_events WHERE id = {LAST}
    """,
    "a running task has a lease and a worker, any other has neither lease nor progress": (
        f"UPDATE jobservice.tasks SET lease_until = now() WHERE id = {TASK}"
    ),
    "a final task says when it ended, a failed one why": (
        f"UPDATE jobservice.tasks SET ended_at = NULL WHERE id = {PLAN}"
    ),
    "of unfinished tasks of a type one has a unique key": (
        "UPDATE jobservice.tasks SET unique_key = 'one', status = 'pending' WHERE NOT is_plan"
    ),
    "a policy with a single active execution has one": """
        INSERT INTO jobservice.executions (vendor_type, policy_id, trigger, policy_snapshot,
                                           single_active)
        SELECT 'test', 1, 'manual', '{}', true FROM generate_series(1, 2)
    """,
    "what was left out is counted at least as often as it is shown": """
        INSERT INTO jobservice.outcomes SELECT id, 'filtered', 1 FROM jobservice.executions;
        INSERT INTO jobservice.outcome_examples
        SELECT id, 'filtered', ordinal, 'a'
        FROM jobservice.executions, generate_series(1, 2) AS ordinal
    """,
    "a task was given up at ten rescues and not before": (
        "UPDATE jobservice.tasks SET status = 'failed', rescues = 9,"
        f" error = jsonb_build_object('kind', 'WorkerDied') WHERE id = {TASK}"
    ),
    "an execution was started by one fire time": """
        INSERT INTO jobservice.schedule_fires
            (schedule_id, fire_time, fired_at, outcome, execution_id)
        SELECT 1, now() + number * interval '1 minute', now(), 'started', execution.id
        FROM jobservice.executions AS execution, generate_series(1, 2) AS number
    """,
    "an execution that a schedule started knows the schedule": """
        INSERT INTO jobservice.schedule_fires
            (schedule_id, fire_time, fired_at, outcome, execution_id)
        SELECT 1, now(), now(), 'started', id FROM jobservice.executions
    """,
    "what will not fire any more has no next fire time": """
        INSERT INTO jobservice.schedules
            (vendor_type, vendor_id, cron, ends_at, next_fire_time, next_fire_at)
        VALUES ('test', 1, '0 0 0 * * *', now() - interval '1 day', now(), now())
    """,
    "no task is unfinished": f"UPDATE jobservice.tasks SET status = 'pending' WHERE id = {TASK}",
    "no execution is unfinished": "UPDATE jobservice.executions SET ended_at = NULL",
    "the outbox is drained": "INSERT INTO jobservice.outbox (kind, facts) VALUES ('x', '{}')",
    "no progress is kept": f"INSERT INTO jobservice.task_progress VALUES ({TASK}, 1)",
}


def test_every_invariant_has_a_violation_planted() -> None:
    known = {**invariants.ALWAYS, **invariants.AT_REST, **invariants.DRAINED}
    assert set(PLANTED) == set(known)


@pytest.mark.usefixtures("planted")
async def test_every_invariant_sees_its_violation(dsn: str, valkey_url: str, jobs_at: Jobs) -> None:
    def reader(database: Database) -> tuple[Service, ...]:
        return (outbox_reader.service(database, external_url=""),)

    async def is_drained() -> bool:
        return bool(await jobs_at.one("SELECT count(*) = 0 FROM jobservice.outbox"))

    async with working_at(dsn, valkey_url, chores=reader):
        await jobs_at.ended(await jobs_at.start([{}, {"do": "flaky"}]))
        await until(is_drained)
    await invariants.assert_hold(dsn, at_rest=True, drained=True)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(UNGUARD)
        for name, plant in PLANTED.items():
            violated = connection.transaction()
            await violated.start()
            await connection.execute(plant)
            found = await invariants.broken(connection, at_rest=True, drained=True)
            assert name in found, name
            await violated.rollback()
        assert await invariants.broken(connection, at_rest=True, drained=True) == {}
    finally:
        await connection.close()


@pytest.mark.usefixtures("planted")
async def test_a_lease_that_nobody_takes_over_is_overdue(
    database: Database, worker: Worker, jobs_at: Jobs
) -> None:
    async with worker():
        await jobs_at.ended(await jobs_at.start([{}]))
    async with database.connection() as connection:
        assert await invariants.overdue(connection, grace_seconds=5) == []
        await connection.execute(
            "SET session_replication_role = replica;"
            "UPDATE jobservice.tasks SET status = 'running', ended_at = NULL,"
            " lease_until = now() - interval '6 seconds'"
        )
        assert len(await invariants.overdue(connection, grace_seconds=5)) == 2
        assert await invariants.overdue(connection, grace_seconds=60) == []
