"""What one task went through: its timeline and its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from database.pool import Database
from jobservice.domain.task import NewTask
from jobservice.store import logs, planning
from jobservice.store.logs import Chunk
from tests.integration.jobservice.api.caller import Caller
from tests.integration.jobservice.api.test_events import following_at
from tests.integration.jobservice.conftest import ERROR, Jobs, Worker, claimed


async def test_a_timeline_has_every_step_with_time_worker_and_reason(
    admin: Caller, jobs_at: Jobs, worker: Worker
) -> None:
    async with worker():
        execution_id = await jobs_at.start([{"do": "flaky"}])
        await jobs_at.ended(execution_id)
    (task,) = await jobs_at.tasks(execution_id)
    steps = (await admin.get(f"/tasks/{task.id}/timeline")).json
    assert [step["becomes"] for step in steps] == [
        "pending",
        "queued",
        "running",
        "retrying",
        "pending",
        "queued",
        "running",
        "succeeded",
    ]
    assert "was" not in steps[0]
    assert [step["occurred_at"] for step in steps] == sorted(step["occurred_at"] for step in steps)
    assert [step["attempt"] for step in steps][-1] == 2
    assert steps[2]["worker_id"] > 0
    assert "once" in steps[3]["reason"]


async def test_what_a_plan_could_not_plan_says_so_and_why(
    admin: Caller, database: Database, jobs_at: Jobs
) -> None:
    execution_id = await jobs_at.start([])
    async with database.transaction() as connection:
        plan_id = await connection.fetchval(
            "UPDATE jobservice.tasks SET status = 'queued', delivery = 1, dispatched_at = now()"
            " WHERE execution_id = $1 RETURNING id",
            execution_id,
        )
        plan = await claimed(connection, plan_id, 1)
        assert plan is not None
        task = NewTask(job_type="act", queue="transfer", parameters={})
        settled = [planning.Settled(task=task, error=ERROR)]
        page = planning.PlanPage(number=1, settled=settled, checkpoint={})
        await planning.write_page(connection, plan, page)
    (shown,) = (await admin.get("/tasks?job_type=act")).json
    assert (shown["status"], shown["reason"]) == ("failed", ERROR.message)
    (step,) = (await admin.get(f"/tasks/{shown['id']}/timeline")).json
    assert (step["becomes"], step["reason"]) == ("failed", "settled by its plan")
    await admin.post(f"/tasks/{shown['id']}/retry")
    steps = (await admin.get(f"/tasks/{shown['id']}/timeline")).json
    assert [one["becomes"] for one in steps] == ["failed", "pending"]


async def test_a_task_that_is_not_there_has_no_history(admin: Caller) -> None:
    for path in ("/tasks/7/timeline", "/tasks/7/log", "/tasks/7/log?follow=true"):
        assert (await admin.get(path)).status == 404


async def put(database: Database, task_id: int, *texts: str, fence: int = 1) -> None:
    chunks = [
        Chunk(task_id=task_id, fence=fence, sequence=n, text=text)
        for n, text in enumerate(texts, start=1)
    ]
    async with database.connection() as connection:
        await connection.execute(
            "WITH task AS (UPDATE jobservice.tasks SET fence = $1 WHERE id = $2)"
            " UPDATE jobservice.executions SET started_at = now()",
            fence,
            task_id,
        )
        await logs.append(connection, chunks)


@pytest.fixture
async def task_id(jobs_at: Jobs) -> int:
    await jobs_at.start([])
    return int(await jobs_at.one("SELECT max(id) FROM jobservice.tasks"))


async def test_a_log_is_searched_line_by_line(
    admin: Caller, database: Database, task_id: int
) -> None:
    await put(database, task_id, "blob 1 COPIED\nblob 2 skipped\n", "blob 3 copied\n")
    path = f"/tasks/{task_id}/log"
    assert (await admin.get(path)).text == "blob 1 COPIED\nblob 2 skipped\nblob 3 copied\n"
    found = await admin.get(path, params={"contains": "copied"})
    assert found.text == "blob 1 COPIED\nblob 3 copied\n"
    assert (await admin.get(path, params={"contains": "%"})).text == ""


@pytest.mark.usefixtures("product_logging")
async def test_a_running_tasks_log_is_followed_to_its_end(
    admin: Caller, jobs_at: Jobs, worker: Worker, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    async with worker():
        execution_id = await jobs_at.start([{"do": "wait", "gate": str(gate)}])
        await jobs_at.running(execution_id, 1)
        (task,) = await jobs_at.tasks(execution_id)
        async with following_at(admin, f"/tasks/{task.id}/log?follow=true") as events:
            live = await events.next("log")
            assert "acting" in live.data["text"]
            gate.touch()
            rest = await events.rest()
        ended = rest[-1]
        assert (ended.name, ended.data) == ("end", {"status": "succeeded"})
        back = {"Last-Event-ID": live.id}
        path = f"/tasks/{task.id}/log?follow=true"
        async with following_at(admin, path, **back) as events:
            again = await events.rest()
    assert [event.id for event in again] == [event.id for event in rest]


async def test_of_all_claims_the_newest_is_kept_and_the_cut_is_told(
    admin: Caller, database: Database, task_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "TASK_LIMIT_BYTES", 1000)
    for fence in (1, 2, 3):
        await put(
            database, task_id, *(f"claim {fence} {'x' * 190}\n" for _ in range(3)), fence=fence
        )
    text = (await admin.get(f"/tasks/{task_id}/log")).text
    assert text.startswith("the log is cut here")
    lines = text.splitlines()[1:]
    assert [line.split()[1] for line in lines] == ["2", "2", "3", "3", "3"]
