"""Operators stop tasks and let them try again."""

from __future__ import annotations

import dataclasses
from time import monotonic

import pytest

from database.pool import Database
from jobservice import executions, tasks
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind
from jobservice.errors import CannotRetry, NotFound, PreconditionFailed
from jobservice.store.retrying import Matching
from jobservice.tasks import Retried, Stopped
from tests.integration.jobservice.conftest import Jobs, Worker, until

HANG, FAIL, FINE = {"do": "hang"}, {"do": "fail"}, {"do": "succeed"}


async def test_a_running_task_is_stopped_within_two_seconds_and_no_other(
    worker: Worker, jobs_at: Jobs
) -> None:
    async with worker():
        execution_id = await jobs_at.start([HANG, FINE])
        await jobs_at.running(execution_id, 1)
        (running,) = [t for t in await jobs_at.tasks(execution_id) if t.status == "running"]
        before = monotonic()
        told = await tasks.stop(jobs_at.database, running.id, by="ann")
        ended = await jobs_at.ended(execution_id)
    assert told == Stopped(told=1)
    assert monotonic() - before < 2
    assert (ended.status, ended.stopped, ended.succeeded) == ("stopped", 1, 1)
    stopped = await tasks.get(jobs_at.database, running.id)
    assert (stopped.status, stopped.reason) == ("stopped", "stopped by ann")


async def test_everything_of_a_type_is_stopped(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        first, second = await jobs_at.start([HANG] * 3), await jobs_at.start([HANG] * 20)

        async def all_slots_are_taken() -> bool:
            return bool(
                await jobs_at.one(
                    "SELECT count(*) = 4 FROM jobservice.tasks WHERE status = 'running'"
                )
            )

        await until(all_slots_are_taken)
        stopped = await tasks.stop_type(jobs_at.database, "act", by="ann", running=True)
        ended = [await jobs_at.ended(first), await jobs_at.ended(second)]
    assert stopped.stopped + stopped.told == 23
    assert [one.stopped for one in ended] == [3, 20]


async def test_what_waits_in_a_queue_is_stopped_and_what_runs_goes_on(
    database: Database, jobs_at: Jobs
) -> None:
    execution_id = await jobs_at.start([FINE])
    assert await tasks.stop_type(database, "plan", by="ann", running=False) == Stopped(stopped=1)
    assert (await executions.get(database, execution_id)).status == "stopped"
    assert await tasks.stop_type(database, "plan", by="ann", running=False) == Stopped()


async def test_everything_that_runs_is_stopped(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([HANG] * 2)
        await jobs_at.running(execution_id, 2)
        assert await tasks.stop_running(jobs_at.database, by="ann") == Stopped(told=2)
        await jobs_at.ended(execution_id)


async def test_a_failed_task_tries_again_in_its_execution(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([FAIL, FINE])
        failed = await jobs_at.ended(execution_id)
        assert (failed.status, failed.failed) == ("failed", 1)
        await jobs_at.one(
            "UPDATE jobservice.tasks SET parameters = '{}' WHERE status = 'failed' RETURNING id"
        )
        (task,) = [t for t in await jobs_at.tasks(execution_id) if t.status == "failed"]
        await tasks.retry(jobs_at.database, task.id, by="ann")
        ended = await jobs_at.ended(execution_id)
    assert (ended.status, ended.total, ended.succeeded, ended.failed) == ("succeeded", 2, 2, 0)
    again = await tasks.get(jobs_at.database, task.id)
    assert again.attempt == 1
    reasons = await jobs_at.one(
        "SELECT array_agg(reason) FROM jobservice.task_events"
        " WHERE task_id = $1 AND was = 'failed'",
        task.id,
    )
    assert reasons == ["retried by ann"]


async def test_the_failed_tasks_of_an_execution_try_again(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([FAIL, FAIL, FINE])
        await jobs_at.ended(execution_id)
        retried = await tasks.retry_execution(jobs_at.database, execution_id, by="ann")
        ended = await jobs_at.ended(execution_id)
    assert retried == Retried(retried=2)
    assert (ended.failed, ended.succeeded) == (2, 1)


async def test_a_stopped_plan_may_go_on(worker: Worker, jobs_at: Jobs) -> None:
    execution_id = await jobs_at.start([FINE, FINE])
    await executions.stop(jobs_at.database, execution_id, by="ann")
    plan = await jobs_at.one("SELECT id FROM jobservice.tasks WHERE is_plan")
    await tasks.retry(jobs_at.database, plan, by="ann")
    async with worker():
        ended = await jobs_at.ended(execution_id)
    assert (ended.status, ended.succeeded) == ("succeeded", 2)


async def test_what_succeeded_or_waits_is_not_retried(database: Database, jobs_at: Jobs) -> None:
    await jobs_at.start([FINE])
    plan = await jobs_at.one("SELECT id FROM jobservice.tasks WHERE is_plan")
    with pytest.raises(PreconditionFailed, match="is pending"):
        await tasks.retry(database, plan, by="ann")
    with pytest.raises(NotFound):
        await tasks.retry(database, 4711, by="ann")
    with pytest.raises(NotFound):
        await tasks.retry_execution(database, 4711, by="ann")


async def test_a_query_retries_what_it_may_and_counts_what_it_may_not(
    database: Database, jobs_at: Jobs
) -> None:
    await jobs_at.one(
        "WITH e AS (INSERT INTO jobservice.endpoints (name, kind, url)"
        " VALUES ('e', 'docker-registry', 'http://x') RETURNING id)"
        " INSERT INTO jobservice.policies (name, source_endpoint_id)"
        " SELECT 'p', id FROM e RETURNING id"
    )
    new = NewExecution(
        vendor_type="test",
        job_type="plan",
        policy_id=1,
        trigger=TriggerKind.MANUAL,
        snapshot={"pages": []},
        single_active=True,
    )
    first = await executions.start(database, new)
    await executions.stop(database, first, by="ann")
    free = await executions.start(database, dataclasses.replace(new, policy_id=None))
    await executions.stop(database, free, by="ann")
    await executions.start(database, new)
    wanted = Matching(statuses=("stopped",), job_type="plan")
    found = await tasks.retry_matching(database, wanted, by="ann")
    assert (found.retried, found.refused) == (1, 1)
    assert found.reasons[0].startswith(f"execution {first}: its policy runs one execution")
    assert (await executions.get(database, free)).ended_at is None
    blocked = await jobs_at.one("SELECT id FROM jobservice.tasks WHERE execution_id = $1", first)
    with pytest.raises(CannotRetry):
        await tasks.retry(database, blocked, by="ann")
