"""The command line's side of what is live, against a served API."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from database.pool import Database
from jobservice import executions
from jobservice.api.services import Services
from jobservice.cli import event, event_stream, task_history, watching
from jobservice.cli.api_client import ApiClient
from jobservice.cli.contexts import Login
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind
from protocol.transport import Transport
from tests.integration.jobservice.api.caller import PASSWORD
from tests.integration.jobservice.conftest import Jobs, Worker, until


@pytest.fixture
def api(client: TestClient[web.Request, web.Application], transport: Transport) -> ApiClient:
    url = str(client.make_url("/")).rstrip("/")
    login = Login(url=url, username="admin", password=PASSWORD)
    return ApiClient(transport=transport, login=login)


async def started(database: Database, gate: Path) -> int:
    new = NewExecution(
        vendor_type="replication",
        job_type="plan",
        policy_id=None,
        trigger=TriggerKind.MANUAL,
        snapshot={"pages": [[{"do": "wait", "gate": str(gate)}]]},
    )
    return await executions.start(database, new)


async def test_an_execution_is_watched_line_by_line_to_its_end(
    api: ApiClient,
    jobs_at: Jobs,
    worker: Worker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate = tmp_path / "gate"
    async with worker(), asyncio.timeout(20), asyncio.TaskGroup() as group:
        execution_id = await started(jobs_at.database, gate)
        watched = group.create_task(watching.until_it_ends(api, execution_id, quiet=False))
        await jobs_at.running(execution_id, 1)

        async def is_told() -> bool:
            told.extend(capsys.readouterr().err.splitlines())
            return any(f"execution {execution_id}: running, 0 of 1 tasks" in one for one in told)

        told: list[str] = []
        await until(is_told)
        gate.touch()
    assert watched.result()["status"] == "Succeed"
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"execution {execution_id}: Succeed")


async def test_where_nothing_is_told_live_it_is_asked_again_and_again(
    api: ApiClient, services: Services, jobs_at: Jobs, worker: Worker, tmp_path: Path
) -> None:
    await services.follower.close()
    gate = tmp_path / "gate"
    gate.touch()
    async with worker(), asyncio.timeout(20):
        execution_id = await started(jobs_at.database, gate)
        found = await watching.until_it_ends(api, execution_id, quiet=True)
    assert found["status"] == "Succeed"


@pytest.mark.usefixtures("product_logging")
async def test_a_log_is_followed_to_its_end_and_searched(
    api: ApiClient,
    jobs_at: Jobs,
    worker: Worker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate = tmp_path / "gate"
    gate.touch()
    async with worker():
        execution_id = await started(jobs_at.database, gate)
        await jobs_at.ended(execution_id)
    (task,) = await jobs_at.tasks(execution_id)
    capsys.readouterr()
    async with asyncio.timeout(20):
        await task_history.show_log(api, task.id, follow=True, search=None, machine=False)
    assert "task_succeeded" in capsys.readouterr().out.splitlines()[-1]
    await task_history.show_log(api, task.id, follow=False, search="ACTING", machine=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert "acting" in line
    steps = await task_history.timeline(api, task.id)
    assert "succeeded" in list(task_history.lines(steps))[-1]


async def test_events_are_lines(api: ApiClient, jobs_at: Jobs, worker: Worker) -> None:
    seen = []
    async with worker(), asyncio.timeout(20):
        stream = event_stream.followed(api, "/events", type="task,execution")
        begun = asyncio.get_running_loop().create_task(jobs_at.start([{}]))
        async for one in stream:
            seen.append(event.line(one))
            if "succeeded: 1 of 1 tasks" in seen[-1]:
                break
        await begun
    assert any("running -> succeeded by worker" in line for line in seen)
