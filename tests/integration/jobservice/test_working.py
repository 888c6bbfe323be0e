"""Whole workers on a real Postgres and a real Valkey."""

from __future__ import annotations

import re
from collections.abc import Mapping

from database.pool import Database
from jobservice import executions
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.task import TaskStatus
from jobservice.jobs.base import JobType
from tests.fakes import jobs
from tests.integration.jobservice.conftest import Jobs, Worker, until, working_at

PLANNED = "SELECT plan_status FROM jobservice.executions WHERE id = $1"


async def test_an_execution_runs_to_its_end(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{}, {}], [{}], status_text="three things")
        execution = await jobs_at.ended(execution_id)
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert (execution.total, execution.succeeded) == (3, 3)
    assert execution.status_text == "three things"


async def test_more_tasks_than_the_window_holds_all_run(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{}] * 300)
        execution = await jobs_at.ended(execution_id)
    assert execution.succeeded == 300
    assert await jobs_at.one("SELECT max(fence) FROM jobservice.tasks") == 1


async def test_a_passing_failure_is_tried_again(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{"do": "flaky"}])
        execution = await jobs_at.ended(execution_id)
    (task,) = await jobs_at.tasks(execution_id)
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert task.attempt == 2
    assert task.result == {"attempt": 2}
    (reason,) = await jobs_at.reasons("retrying")
    assert re.fullmatch(r"retry 1/1 in 0\.\d s: once", reason)
    assert await jobs_at.reasons("pending") == {"the pause is over"}


async def test_a_failure_keeps_its_error_and_hides_no_other(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{"do": "fail"}, {}, {"do": "raise"}])
        execution = await jobs_at.ended(execution_id)
    broken, fine, bug = await jobs_at.tasks(execution_id)
    assert execution.status is ExecutionStatus.FAILED
    assert (execution.failed, execution.succeeded) == (2, 1)
    assert broken.error is not None
    assert broken.error.message == "for good"
    assert fine.status is TaskStatus.SUCCEEDED
    assert bug.error is not None
    assert (bug.error.kind, bug.error.message) == ("ValueError", "a bug")


async def test_a_snooze_spends_no_attempt(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{"do": "snooze"}])
        await jobs_at.ended(execution_id)
    (task,) = await jobs_at.tasks(execution_id)
    assert task.result == {"attempt": 1}
    assert await jobs_at.reasons("pending") == {"waits 0.0 s: it cannot run now"}
    assert await jobs_at.reasons("queued") == {"sent to the workers"}


async def test_a_stop_reaches_a_running_task_within_two_seconds(
    worker: Worker, jobs_at: Jobs
) -> None:
    async with worker():
        execution_id = await jobs_at.start([{"do": "hang"}] * 2)
        await jobs_at.running(execution_id, 2)
        await executions.stop(jobs_at.database, execution_id, by="alice")
        execution = await jobs_at.ended(execution_id, seconds=2)
    assert execution.status is ExecutionStatus.STOPPED
    assert execution.stopped == 2
    assert await jobs_at.reasons("stopped") == {"stopped by alice"}


async def test_a_worker_leaves_types_that_it_does_not_know_to_others(
    dsn: str, valkey_url: str, jobs_at: Jobs
) -> None:
    """A rolling upgrade: the older worker stands at the same queue."""

    def of_the_older(database: Database) -> Mapping[str, JobType]:
        return {"plan": jobs.Plan(database)}

    async with working_at(dsn, valkey_url, of_the_older), working_at(dsn, valkey_url):
        execution = await jobs_at.ended(await jobs_at.start([{}] * 12), seconds=40)
    assert execution.succeeded == 12
    given_back = await jobs_at.reasons("pending")
    assert all(re.fullmatch(r"worker \d+ does not know job type act", one) for one in given_back)
    assert await jobs_at.one("SELECT max(attempt) FROM jobservice.tasks") == 1


async def test_a_type_that_nobody_knows_stays_in_postgres(
    dsn: str, valkey_url: str, jobs_at: Jobs
) -> None:
    def plans_only(database: Database) -> Mapping[str, JobType]:
        return {"plan": jobs.Plan(database)}

    async with working_at(dsn, valkey_url, plans_only):
        execution_id = await jobs_at.start([{}] * 3)

        async def is_planned() -> bool:
            return await jobs_at.one(PLANNED, execution_id) is not None

        await until(is_planned)
        # Whatever the dispatcher does, it did it for this one too.
        await jobs_at.ended(await jobs_at.start())
    assert {task.status for task in await jobs_at.tasks(execution_id)} == {TaskStatus.PENDING}
    assert await jobs_at.one("SELECT max(delivery) FROM jobservice.tasks WHERE NOT is_plan") == 0


async def test_a_log_is_there_and_holds_no_secret(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{}])
        await jobs_at.ended(execution_id)
    (task,) = await jobs_at.tasks(execution_id)
    text = await executions.task_log(jobs_at.database, execution_id, task.id)
    assert "acting" in text
    assert "hunter2" not in text


async def test_progress_of_a_running_task_is_seen(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{"do": "hang"}])
        await jobs_at.running(execution_id, 1)

        async def told() -> bool:
            (task,) = await jobs_at.tasks(execution_id)
            return task.progress is not None and task.progress.bytes_done == 7

        await until(told)
        await executions.stop(jobs_at.database, execution_id)
        await jobs_at.ended(execution_id)
    assert await jobs_at.one("SELECT count(*) FROM jobservice.task_progress") == 0


async def test_a_worker_that_leaves_gives_its_tasks_back(worker: Worker, jobs_at: Jobs) -> None:
    async with worker():
        execution_id = await jobs_at.start([{"do": "hang_once"}])
        await jobs_at.running(execution_id, 1)
    (task,) = await jobs_at.tasks(execution_id)
    assert task.status in {TaskStatus.PENDING, TaskStatus.QUEUED}
    (reason,) = await jobs_at.reasons("pending")
    assert re.fullmatch(r"given back by worker \d+ \(.+\), which shuts down", reason)
    assert await jobs_at.one("SELECT count(*) FROM jobservice.workers") == 0
    async with worker():
        execution = await jobs_at.ended(execution_id)
    (task,) = await jobs_at.tasks(execution_id)
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert (task.attempt, task.rescues) == (1, 0)
