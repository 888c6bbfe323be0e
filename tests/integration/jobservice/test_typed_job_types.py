"""A new job type is one file and one line: its parameters are typed, its tasks unique."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
from typing_extensions import override

from database.pool import Database
from jobservice import executions
from jobservice.domain.task import NewTask, TaskStatus
from jobservice.jobs.base import Answer, JobType, Run, Succeeded
from jobservice.store import planning
from jobservice.store.planning import REPEATED, PlanPage
from tests.fakes.greeting import Greeting, Parameters
from tests.integration.jobservice.conftest import Jobs, claimed, settled, working_at


class Guests(JobType):
    """Plans a greeting for each guest of the snapshot; `raw` ones as they are."""

    name: ClassVar[str] = "plan"
    queue: ClassVar[str] = "plan"

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def run(self, run: Run) -> Answer:
        guests = [Greeting.task(Parameters(whom=whom)) for whom in run.task.snapshot["guests"]]
        raw = [
            NewTask(job_type="greeting", queue="transfer", parameters=parameters)
            for parameters in run.task.snapshot["raw"]
        ]
        page = PlanPage(number=1, tasks=[*guests, *raw], checkpoint={})
        await self._database.run(lambda c: planning.write_page(c, run.task, page))
        return Succeeded()


def job_types(database: Database) -> Mapping[str, JobType]:
    return {"plan": Guests(database), "greeting": Greeting()}


async def test_a_typed_job_runs_with_what_was_planned_for_it(
    dsn: str, valkey_url: str, jobs_at: Jobs
) -> None:
    async with working_at(dsn, valkey_url, job_types):
        execution_id = await jobs_at.start(
            guests=["ann", "bob", "ann"], raw=[{"whom": "cy", "times": 2}]
        )
        execution = await jobs_at.ended(execution_id)
    tasks = await jobs_at.tasks(execution_id)
    assert [task.result for task in tasks] == [
        {"said": "hello ann, "},
        {"said": "hello bob, "},
        {"said": "hello cy, hello cy, "},
    ]
    assert (execution.total, execution.succeeded) == (3, 3)


async def test_a_second_task_with_the_same_key_is_left_out_and_told(
    dsn: str, valkey_url: str, jobs_at: Jobs
) -> None:
    async with working_at(dsn, valkey_url, job_types):
        execution_id = await jobs_at.start(guests=["ann", "bob", "ann"], raw=[])
        await jobs_at.ended(execution_id)
    (outcome,) = (await executions.account(jobs_at.database, execution_id)).outcomes
    assert (outcome.reason, outcome.count) == (REPEATED, 1)
    assert outcome.examples == (("greeting ann", ""),)


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"times": 1}, "whom: Field required"),
        ({"whom": "ann", "times": "often"}, "times: Input should be a valid integer"),
    ],
)
async def test_parameters_that_cannot_be_read_fail_the_task_and_say_why(
    dsn: str, valkey_url: str, jobs_at: Jobs, parameters: dict[str, object], problem: str
) -> None:
    async with working_at(dsn, valkey_url, job_types):
        execution_id = await jobs_at.start(guests=[], raw=[parameters])
        await jobs_at.ended(execution_id)
    (task,) = await jobs_at.tasks(execution_id)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert task.error.kind == "InvalidParameters"
    assert problem in task.error.message


@pytest.mark.usefixtures("planted")
async def test_a_key_is_free_again_when_its_task_has_ended(jobs_at: Jobs) -> None:
    ids = []
    for _ in range(2):
        execution_id = await jobs_at.start()
        async with jobs_at.database.transaction() as connection:
            rows = await connection.fetch(
                "UPDATE jobservice.tasks SET status = 'queued', delivery = 1,"
                " dispatched_at = now() WHERE execution_id = $1 RETURNING id",
                execution_id,
            )
            plan = await claimed(connection, rows[0]["id"], 1)
            assert plan is not None
            page = PlanPage(number=1, tasks=[Greeting.task(Parameters(whom="ann"))], checkpoint={})
            await planning.write_page(connection, plan, page)
        (task,) = await jobs_at.tasks(execution_id)
        ids.append(task.id)
        async with jobs_at.database.transaction() as connection:
            await connection.execute(
                "UPDATE jobservice.tasks SET status = 'queued', delivery = 1,"
                " dispatched_at = now() WHERE id = $1",
                task.id,
            )
            held = await claimed(connection, task.id, 1, job_types=["greeting"])
            assert held is not None
            assert await settled(connection, held, TaskStatus.SUCCEEDED)
    assert len(set(ids)) == 2
