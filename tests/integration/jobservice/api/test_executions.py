"""Executions, tasks and logs through the API; no worker runs here."""

from __future__ import annotations

from typing import Any

import pytest

from database.pool import Database
from jobservice.domain.execution import LeftOut
from jobservice.store import outcomes
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller

ROOT = "/replication/executions"

ADD_TASK = """
INSERT INTO jobservice.tasks (execution_id, page, ordinal, job_type, queue, parameters)
VALUES ($1, 0, $2, 'copy', 'transfer', $3) RETURNING id
"""

SET_STATUS = """
UPDATE jobservice.tasks
SET status = $2, dispatched_at = now(), error = CASE WHEN $2 = 'failed' THEN $3::jsonb END,
    lease_until = CASE WHEN $2 = 'running' THEN now() END, worker_id = 1,
    ended_at = CASE WHEN $2 = 'failed' THEN now() END
WHERE id = $1
"""


@pytest.fixture
async def policy(admin: Caller, upstream: FakeRegistry) -> int:
    body: dict[str, Any] = {"name": "up", "type": "docker-registry", "url": upstream.url}
    await admin.post("/registries", body)
    body = {"name": "p", "src_registry": {"id": 1}, "enabled": True}
    assert (await admin.post("/replication/policies", body)).status == 201
    return 1


async def start(admin: Caller, policy: int) -> int:
    started = await admin.post(ROOT, {"policy_id": policy})
    assert started.status == 201
    return int(started.headers["Location"].removeprefix(f"/api/v2.0{ROOT}/"))


async def test_an_execution_has_the_priority_of_its_policy(
    admin: Caller, policy: int, database: Database
) -> None:
    before = (await admin.get(f"/replication/policies/{policy}")).json
    wanted = {**before, "transship": {"priority": 7}}
    assert (await admin.put(f"/replication/policies/{policy}", wanted)).status == 200
    execution_id = await start(admin, policy)
    query = """
    SELECT execution.priority AS of_execution, task.priority AS of_plan
    FROM jobservice.executions AS execution JOIN jobservice.tasks AS task
         ON task.execution_id = execution.id
    WHERE execution.id = $1
    """
    async with database.connection() as connection:
        (row,) = await connection.fetch(query, execution_id)
    assert dict(row) == {"of_execution": 7, "of_plan": 7}


async def test_a_started_policy_is_in_progress(admin: Caller, policy: int) -> None:
    execution = await start(admin, policy)
    shown = (await admin.get(f"{ROOT}/{execution}")).json
    assert shown["policy_id"] == policy
    assert shown["status"] == "InProgress"
    assert shown["trigger"] == "manual"
    assert [shown[n] for n in ("total", "failed", "succeed", "in_progress", "stopped")] == [0] * 5
    assert shown["status_text"] == ""
    assert "end_time" not in shown


async def test_the_snapshot_has_both_ends_and_no_secret(
    admin: Caller, policy: int, database: Database
) -> None:
    execution = await start(admin, policy)
    async with database.connection() as connection:
        snapshot = await connection.fetchval(
            "SELECT policy_snapshot FROM jobservice.executions WHERE id = $1", execution
        )
    assert snapshot["source"]["endpoint_id"] == 1
    assert snapshot["source"]["kind"] == "docker-registry"
    assert snapshot["destination"]["kind"] == "local"
    assert snapshot["policy"]["flattening"] == -1
    assert "secret" not in str(snapshot)


async def test_what_an_execution_left_out_is_shown(
    admin: Caller, policy: int, database: Database
) -> None:
    execution = await start(admin, policy)
    skipped = [LeftOut(reason="exists", subject=f"app:{number}") for number in range(12)]
    async with database.transaction() as connection:
        await outcomes.add(connection, execution, skipped)
    (shown,) = (await admin.get(f"{ROOT}/{execution}")).json["transship"]["left_out"]
    assert (shown["reason"], shown["count"]) == ("exists", 12)
    assert shown["examples"] == [f"app:{number}" for number in range(10)]


async def test_a_disabled_policy_starts_nothing(admin: Caller, policy: int) -> None:
    body = {"name": "p", "src_registry": {"id": 1}}
    await admin.put(f"/replication/policies/{policy}", body)
    refused = await admin.post(ROOT, {"policy_id": policy})
    assert (refused.status, refused.code) == (412, "PRECONDITION")
    assert (await admin.get(ROOT)).json == []


async def test_one_at_a_time_is_one_at_a_time(admin: Caller, policy: int) -> None:
    body = {
        "name": "p",
        "src_registry": {"id": 1},
        "enabled": True,
        "single_active_replication": True,
    }
    await admin.put(f"/replication/policies/{policy}", body)
    await start(admin, policy)
    assert (await admin.post(ROOT, {"policy_id": policy})).status == 412


@pytest.mark.parametrize(
    ("body", "status"),
    [({"policy_id": 9}, 404), ({}, 400), ({"policy_id": "1"}, 400), ({"policy_id": -1}, 400)],
)
async def test_what_cannot_be_started_is_refused(
    admin: Caller, body: dict[str, Any], status: int
) -> None:
    assert (await admin.post(ROOT, body)).status == status


async def test_a_put_stops(admin: Caller, policy: int) -> None:
    execution = await start(admin, policy)
    assert (await admin.put(f"{ROOT}/{execution}")).status == 200
    shown = (await admin.get(f"{ROOT}/{execution}")).json
    assert shown["status"] == "Stopped"
    assert "end_time" in shown
    assert (await admin.put(f"{ROOT}/{execution}")).status == 200
    assert (await admin.put(f"{ROOT}/99")).status == 404


async def test_a_policy_with_something_unfinished_is_not_deleted(
    admin: Caller, policy: int
) -> None:
    execution = await start(admin, policy)
    refused = await admin.delete(f"/replication/policies/{policy}")
    assert (refused.status, refused.code) == (412, "PRECONDITION")
    await admin.put(f"{ROOT}/{execution}")
    assert (await admin.delete(f"/replication/policies/{policy}")).status == 200
    assert (await admin.get(f"{ROOT}/{execution}")).status == 404


async def test_executions_are_listed_latest_first_and_filtered(admin: Caller, policy: int) -> None:
    first, second = await start(admin, policy), await start(admin, policy)
    await admin.put(f"{ROOT}/{first}")
    assert [e["id"] for e in (await admin.get(ROOT)).json] == [second, first]
    stopped = await admin.get(f"{ROOT}?status=Stopped&trigger=manual&policy_id={policy}")
    assert [e["id"] for e in stopped.json] == [first]
    running = await admin.get(f"{ROOT}?status=InProgress")
    assert [e["id"] for e in running.json] == [second]
    assert (await admin.get(f"{ROOT}?policy_id=7")).json == []
    refused = await admin.get(f"{ROOT}?status=Running")
    assert refused.status == 400
    assert "InProgress" in refused.messages


@pytest.mark.usefixtures("planted")
async def test_a_task_reads_as_harbors(admin: Caller, policy: int, database: Database) -> None:
    execution = await start(admin, policy)
    parameters = {
        "source_repository": "a/b",
        "destination_repository": "library/b",
        "digest": "sha256:" + "0" * 64,
        "tags": ["1", "2"],
    }
    async with database.connection() as connection:
        task = await connection.fetchval(ADD_TASK, execution, 1, parameters)
    (shown,) = (await admin.get(f"{ROOT}/{execution}/tasks")).json
    assert shown.pop("start_time")
    assert shown == {
        "id": task,
        "execution_id": execution,
        "status": "Pending",
        "job_id": str(task),
        "operation": "copy",
        "resource_type": "image",
        "src_resource": "a/b [2 item(s) in total]",
        "dst_resource": "library/b [2 item(s) in total]",
    }
    for query, count in (("status=Pending", 1), ("status=Succeed", 0), ("resource_type=x", 0)):
        listed = await admin.get(f"{ROOT}/{execution}/tasks?{query}")
        assert len(listed.json) == count
    assert (await admin.get(f"{ROOT}/{execution}/tasks?status=Done")).status == 400


async def test_the_log_of_a_task_is_text(admin: Caller, policy: int, database: Database) -> None:
    execution = await start(admin, policy)
    async with database.connection() as connection:
        plan = await connection.fetchval("SELECT id FROM jobservice.tasks")
        await connection.execute(
            "INSERT INTO jobservice.task_log_chunks (task_id, fence, sequence, text)"
            " VALUES ($1, 1, 0, 'hello')",
            plan,
        )
    log = await admin.get(f"{ROOT}/{execution}/tasks/{plan}/log")
    assert (log.status, log.text) == (200, "hello")
    assert log.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["99", "99/tasks", "99/tasks/1/log", "1/tasks/99/log"])
async def test_what_is_not_there_is_404(admin: Caller, policy: int, path: str) -> None:
    await start(admin, policy)
    assert (await admin.get(f"{ROOT}/{path}")).status == 404


@pytest.mark.usefixtures("planted")
async def test_a_failed_task_says_why_and_names_no_destination_it_does_not_have(
    admin: Caller, policy: int, database: Database
) -> None:
    execution = await start(admin, policy)
    parameters = {"source_repository": "a", "destination_repository": "", "tags": ["1"]}
    error = {"message": "too shallow", "kind": "UnknownDestination"}
    async with database.connection() as connection:
        task = await connection.fetchval(ADD_TASK, execution, 1, parameters)
        await connection.execute(
            "UPDATE jobservice.executions SET plan_status = NULL, total = 1 WHERE id = $1",
            execution,
        )
        for status in ("queued", "running", "failed"):
            await connection.execute(SET_STATUS, task, status, error)
    (shown,) = (await admin.get(f"{ROOT}/{execution}/tasks?status=Failed")).json
    assert shown["dst_resource"] == ""
    assert shown["transship"]["error"]["message"] == "too shallow"
    assert shown["transship"]["error"]["kind"] == "UnknownDestination"
