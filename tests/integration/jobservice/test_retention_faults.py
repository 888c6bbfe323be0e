"""What comes in between while retention runs: stops, lost leases, a project that goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from database.pool import Connection, Database
from jobservice import retention_runs, retentions
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.retention import RetentionSnapshot
from jobservice.errors import (
    InvalidRequest,
    LeaseLost,
    NotFound,
    PolicyRunning,
)
from jobservice.jobs.retention import AT_ONCE
from jobservice.jobs.retention_local import LocalPlace
from jobservice.jobs.retention_place import Fate
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.retention_house import (
    NIGHTLY,
    REPOSITORY,
    House,
    rule,
)

PAUSE_RETENTION = """
INSERT INTO jobservice.pauses (scope, key, paused_by) VALUES ('job_type', 'RETENTION', 'eve')
RETURNING 1
"""

# Who writes decisions down waits for whoever has the lock 7.
HOLD_DECISIONS = """
DO $$ BEGIN
    CREATE FUNCTION jobservice.wait_for_lock() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END';
    CREATE TRIGGER held BEFORE INSERT ON jobservice.retention_decisions
        FOR EACH STATEMENT EXECUTE FUNCTION jobservice.wait_for_lock();
END $$
"""


@pytest.fixture
def house(dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, tmp_path: Path) -> House:
    return House(
        dsn=dsn,
        redis_dsn=valkey_url,
        database=database,
        registry=Registry(database, FilesystemStorage(tmp_path)),
        jobs=jobs_at,
    )


async def test_a_run_that_is_stopped_deletes_no_more_and_keeps_what_it_did(house: House) -> None:
    for number in range(3):
        await house.push("1", "2", repository=f"team/r{number}", content=f"{number}")
    policy = await house.policy(rule(tags="nothing"))
    execution = await house.run(policy)
    await house.jobs.one(PAUSE_RETENTION)
    async with house.working():

        async def is_planned() -> bool:
            view = await house.view(policy, execution)
            return view.execution.total == 3 and view.execution.plan_ended

        await house.until(is_planned)
        await retention_runs.stop(house.database, policy, execution, by="eve")
        view = await house.ended(policy, execution)
    assert view.execution.status is ExecutionStatus.STOPPED
    assert await house.jobs.one("SELECT count(*) FROM registry.manifests") == 3


async def test_a_stop_in_the_middle_leaves_what_was_not_reached(
    house: House, database: Database
) -> None:
    count = AT_ONCE + 10
    for number in range(count):
        await house.push(f"t{number}")
    await house.push("kept")
    policy = await house.policy(rule(count=1))
    async with database.transaction() as connection:
        # The oldest goes last: somebody holds it, so that the second batch waits.
        await connection.execute("SELECT FROM registry.manifests WHERE id = 1 FOR UPDATE")
        async with house.working():
            execution = await house.run(policy)

            async def is_in_the_middle() -> bool:
                return len(await house.tags()) == count + 1 - AT_ONCE

            await house.until(is_in_the_middle)
            await retention_runs.stop(house.database, policy, execution, by="eve")
            view = await house.ended(policy, execution)
    assert view.execution.status is ExecutionStatus.STOPPED
    assert len(await house.tags()) == 11


async def test_a_task_that_lost_its_lease_deletes_nothing(house: House) -> None:
    await house.push("1.0")
    digest = await house.push("1.1")
    snapshot = RetentionSnapshot.of(
        await retentions.get(house.database, await house.policy(rule(count=1))), dry_run=False
    )
    place = LocalPlace(house.database, house.registry, snapshot)
    deciding = await place.decide(REPOSITORY)

    async def lost(_connection: Connection, fates: Sequence[Fate]) -> None:
        assert [fate.is_gone for fate in fates] == [True]
        raise LeaseLost(1)

    with pytest.raises(LeaseLost):
        await place.delete(REPOSITORY, list(deciding.going()), lost)
    assert await house.tags() == ["1.0", "1.1"]
    assert [verdict.digest for verdict in deciding.kept()] == [str(digest)]


async def test_a_task_that_is_taken_over_counts_nothing_twice(house: House) -> None:
    await house.push("1.0")
    await house.push("1.1")
    await house.push("1.2")
    policy = await house.policy(rule(count=1))
    execution = await house.run(policy)
    await house.jobs.one(PAUSE_RETENTION)
    async with house.working():

        async def is_planned() -> bool:
            return (await house.view(policy, execution)).execution.total == 1

        await house.until(is_planned)
        # As a worker leaves it that died when one of two was gone.
        await house.jobs.one(
            """UPDATE jobservice.tasks SET checkpoint = '{"deleted": 1, "untagged": 0,
                   "deleted_bytes": 10, "named": ["1.0"], "is_told": false}'
               WHERE NOT is_plan RETURNING 1"""
        )
        await house.jobs.one("DELETE FROM registry.tags WHERE name = '1.0' RETURNING 1")
        await house.jobs.one("DELETE FROM registry.manifests WHERE id = 1 RETURNING 1")
        await house.jobs.one("DELETE FROM jobservice.pauses RETURNING 1")
        await house.jobs.one("SELECT pg_notify('jobservice_dispatch', '')")
        view = await house.ended(policy, execution)
    assert view.sum is not None
    assert (view.sum.total, view.sum.retained, view.sum.deleted) == (3, 1, 2)
    told = await house.jobs.one(
        "SELECT facts -> 'named' FROM jobservice.outbox WHERE kind = 'tag_retention'"
    )
    assert told == ["1.0", "1.1"]


async def test_a_heartbeat_does_not_wait_while_a_million_decisions_are_written(
    house: House,
) -> None:
    await house.push("1.0")
    await house.push("1.1")
    await house.push("1.2")
    policy = await house.policy(rule(count=2), cron=NIGHTLY)
    await house.jobs.one(HOLD_DECISIONS)
    async with house.working():
        async with house.database.transaction() as holder:
            await holder.execute("SELECT pg_advisory_xact_lock(7)")
            execution = await house.fire(policy)

            async def writes() -> bool:
                waits = "SELECT EXISTS (SELECT FROM pg_locks WHERE objid = 7 AND NOT granted)"
                return bool(await house.jobs.one(waits))

            await house.until(writes)
            beat = "SELECT id FROM jobservice.tasks WHERE is_plan FOR NO KEY UPDATE NOWAIT"
            assert await house.jobs.one(beat)
        await house.ended(policy, execution)
    assert await house.tags() == ["1.1", "1.2"]


async def test_while_the_registry_is_read_only_a_run_waits(house: House) -> None:
    await house.push("1.0")
    await house.push("1.1")
    policy = await house.policy(rule(count=1))
    await house.registry.set_read_only(on=True)
    async with house.working():
        execution = await house.run(policy)

        async def waits() -> bool:
            reasons = await house.jobs.reasons("pending")
            return any("read only mode" in reason for reason in reasons)

        await house.until(waits)
        assert await house.tags() == ["1.0", "1.1"]
        await house.registry.set_read_only(on=False)

        async def has_ended() -> bool:
            # A process may hold the switch's old position for two seconds, and sleep on it.
            await house.jobs.one(
                "UPDATE jobservice.tasks SET not_before = now() WHERE not_before > now()"
            )
            return (await house.view(policy, execution)).execution.ended_at is not None

        await house.until(has_ended)
    assert await house.tags() == ["1.1"]


async def test_a_policy_goes_with_its_project_and_its_schedule_too(house: House) -> None:
    policy = await house.policy(rule(), cron=NIGHTLY)
    assert await house.jobs.one("SELECT count(*) FROM jobservice.schedules") == 1
    project = await house.project()
    await house.registry.delete_project(project)
    assert await house.jobs.one("SELECT count(*) FROM jobservice.schedules") == 0
    with pytest.raises(NotFound):
        await retentions.get(house.database, policy)


async def test_a_run_whose_project_is_gone_says_so(house: House) -> None:
    policy = await house.policy(rule())
    execution = await house.run(policy)
    await house.registry.delete_project(await house.project())
    async with house.working():
        view = await house.ended(policy, execution)
    assert view.execution.status is ExecutionStatus.FAILED
    assert view.execution.status_text == (
        "the project team was removed since the run began; nothing is deleted"
    )


async def test_a_project_that_is_not_there_has_no_policy(house: House) -> None:
    await house.policy(rule())
    with pytest.raises(InvalidRequest, match="project team has retention policy"):
        await house.policy(rule())
    with pytest.raises(InvalidRequest, match="project 99 not found"):
        await house.policy(rule(), project_id=99)


async def test_a_policy_with_runs_under_way_stays(house: House) -> None:
    policy = await house.policy(rule())
    execution = await house.run(policy)
    with pytest.raises(PolicyRunning, match=str(execution)):
        await retentions.delete(house.database, policy)
    await retention_runs.stop(house.database, policy, execution, by="eve")
    await retentions.delete(house.database, policy)
    assert await house.jobs.one("SELECT count(*) FROM jobservice.executions") == 1
