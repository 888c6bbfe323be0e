"""Queues, workers, tasks, pauses and explanations through the API."""

from __future__ import annotations

from typing import Any

import pytest

from database.pool import Database
from jobservice import executions
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind
from jobservice.store import workers
from jobservice.store.workers import NewWorker
from tests.integration.jobservice.api.caller import Caller

PLAN = "replication_plan"


async def started(database: Database) -> int:
    new = NewExecution(
        vendor_type="test",
        job_type=PLAN,
        policy_id=None,
        trigger=TriggerKind.MANUAL,
        snapshot={},
    )
    return await executions.start(database, new)


async def a_worker(database: Database) -> int:
    worker = NewWorker(
        host="here", pid=7, version="1", zone=None, job_types=[PLAN], slots={"plan": 2}
    )
    async with database.connection() as connection:
        return await workers.register(connection, worker)


async def queue(admin: Caller, job_type: str) -> Any:
    found = (await admin.get("/jobservice/queues")).json
    return next(one for one in found if one["job_type"] == job_type)


async def codes(admin: Caller, task_id: int) -> list[str]:
    found = (await admin.get(f"/tasks/{task_id}/explanation")).json
    return [one["code"] for one in found]


async def test_workers_are_pools_and_their_slots_workers(admin: Caller, database: Database) -> None:
    worker_id = await a_worker(database)
    (pool,) = (await admin.get("/jobservice/pools")).json
    assert (pool["worker_pool_id"], pool["pid"], pool["concurrency"]) == (str(worker_id), 7, 2)
    slots = (await admin.get("/jobservice/pools/all/workers")).json
    assert [slot["job_id"] for slot in slots] == ["", ""]
    assert (await admin.get(f"/jobservice/pools/{worker_id}/workers")).json == slots
    assert (await admin.get("/jobservice/pools/4711/workers")).status == 404


async def test_a_queue_is_paused_resumed_and_stopped(admin: Caller, database: Database) -> None:
    execution_id = await started(database)
    assert (await queue(admin, PLAN))["count"] == 1
    path = f"/jobservice/queues/{PLAN}"
    assert (await admin.put(path, {"action": "pause"})).status == 200
    paused = await queue(admin, PLAN)
    assert paused["paused"] is True
    assert paused["transship"]["paused_by"] == "admin"
    await admin.put(path, {"action": "resume"})
    assert (await queue(admin, PLAN))["paused"] is False
    await admin.put(path, {"action": "stop"})
    assert (await queue(admin, PLAN))["count"] == 0
    assert (await executions.get(database, execution_id)).status == "stopped"


async def test_all_queues_are_paused_and_resumed_together(admin: Caller) -> None:
    await admin.put(f"/jobservice/queues/{PLAN}", {"action": "pause"})
    await admin.put("/jobservice/queues/all", {"action": "pause"})
    assert all(one["paused"] for one in (await admin.get("/jobservice/queues")).json)
    await admin.put("/jobservice/queues/all", {"action": "resume"})
    assert not any(one["paused"] for one in (await admin.get("/jobservice/queues")).json)


async def test_the_queue_of_schedules_pauses_schedules(admin: Caller) -> None:
    await admin.put("/jobservice/queues/SCHEDULER", {"action": "pause"})
    (pause,) = (await admin.get("/pauses")).json
    assert pause["scope"] == "schedules"
    assert (await admin.get("/schedules/all/paused")).json == {"paused": True}
    await admin.put("/jobservice/queues/SCHEDULER", {"action": "resume"})
    assert (await admin.get("/pauses")).json == []
    assert (await admin.put("/jobservice/queues/SCHEDULER", {"action": "stop"})).status == 400


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/jobservice/queues/nonsense", {"action": "pause"}, 404),
        (f"/jobservice/queues/{PLAN}", {"action": "explode"}, 400),
        (f"/jobservice/queues/{PLAN}", {}, 400),
        ("/jobservice/jobs/nonsense", None, 404),
        ("/jobservice/jobs/99999999999999999999", None, 404),
    ],
)
async def test_what_is_not_there_or_not_an_action_is_refused(
    admin: Caller, path: str, body: dict[str, Any] | None, status: int
) -> None:
    assert (await admin.put(path, body)).status == status


async def test_a_job_has_a_log_and_is_stopped(admin: Caller, database: Database) -> None:
    await started(database)
    (task,) = (await admin.get("/tasks")).json
    assert (await admin.get(f"/jobservice/jobs/{task['id']}/log")).status == 200
    assert (await admin.put(f"/jobservice/jobs/{task['id']}")).status == 200
    assert (await admin.get(f"/tasks/{task['id']}")).json["status"] == "stopped"
    assert (await admin.put("/jobservice/jobs/all")).status == 200


async def test_tasks_of_all_executions_are_listed_by_what_they_are(
    admin: Caller, database: Database
) -> None:
    first, second = await started(database), await started(database)
    await executions.stop(database, first)
    listed = await admin.get("/tasks?status=stopped")
    assert [one["execution_id"] for one in listed.json] == [first]
    assert listed.headers["X-Total-Count"] == "1"
    assert [t["execution_id"] for t in (await admin.get("/tasks")).json] == [second, first]
    assert [t["execution_id"] for t in (await admin.get(f"/tasks?execution_id={second}")).json] == [
        second
    ]
    assert (await admin.get(f"/tasks?job_type={PLAN}&sort=id")).json[0]["execution_id"] == first
    assert (await admin.get("/tasks?worker_id=5")).json == []
    assert (await admin.get("/tasks?policy_id=5")).json == []
    assert (await admin.get("/tasks?state=stopped")).status == 400
    assert (await admin.get("/tasks?status=odd")).status == 400


async def test_tasks_are_stopped_and_retried_with_counts(admin: Caller, database: Database) -> None:
    execution_id = await started(database)
    (task,) = (await admin.get("/tasks")).json
    one = f"/tasks/{task['id']}"
    assert (await admin.post(f"{one}/retry")).status == 412
    assert (await admin.post(f"{one}/stop")).json == {"stopped": 1, "told": 0}
    assert (await admin.post(f"{one}/retry")).status == 200
    assert (await admin.get(one)).json["reason"] == "retried by admin"
    await admin.post(f"{one}/stop")
    assert (await admin.post("/tasks/stop", {"job_type": "nonsense"})).status == 404
    assert (await admin.post("/tasks/stop", {"job_type": PLAN})).json == {"stopped": 0, "told": 0}
    wish = {"status": "stopped", "job_type": PLAN}
    assert (await admin.post("/tasks/retry", wish)).json == {
        "retried": 1,
        "refused": 0,
        "reasons": [],
    }
    (told, *_) = (await admin.get("/auditlog-exts?q=operation=retry,resource_type=queue")).json
    assert told["resource"] == PLAN
    assert told["transship"]["details"] == {"statuses": ["stopped"], "job_type": PLAN}
    assert (await admin.post(f"/executions/{execution_id}/retry")).json["retried"] == 0
    assert (await admin.post("/executions/4711/retry")).status == 404
    assert (await admin.post("/tasks/4711/stop")).status == 404
    assert (await admin.post("/tasks/retry", {"status": "running"})).status == 400


async def test_pauses_are_made_listed_and_lifted(admin: Caller) -> None:
    wish = {"scope": "job_type", "key": PLAN, "comment": "disk full"}
    assert (await admin.post("/pauses", wish)).status == 200
    (shown,) = (await admin.get("/pauses")).json
    assert {name: shown[name] for name in wish} == wish
    assert shown["name"] == PLAN
    assert shown["paused_by"] == "admin"
    assert (await admin.delete(f"/pauses/job_type/{PLAN}")).status == 200
    assert (await admin.delete(f"/pauses/job_type/{PLAN}")).status == 404
    await admin.post("/pauses", {"scope": "everything"})
    assert (await admin.delete("/pauses/everything")).status == 200


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"scope": "job_type"}, 400),
        ({"scope": "job_type", "key": "nonsense"}, 404),
        ({"scope": "policy", "key": "4711"}, 404),
        ({"scope": "moon"}, 400),
        ({"scope": "everything", "until": "tomorrow"}, 400),
    ],
)
async def test_a_pause_that_would_hold_nothing_is_refused(
    admin: Caller, wish: dict[str, Any], status: int
) -> None:
    assert (await admin.post("/pauses", wish)).status == status


async def test_a_task_says_why_it_does_not_run(admin: Caller, database: Database) -> None:
    execution_id = await started(database)
    (task,) = (await admin.get("/tasks")).json
    task_id = task["id"]
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE jobservice.executions SET endpoint_ids = '{0,7}' WHERE id = $1", execution_id
        )
        await connection.execute(
            "INSERT INTO jobservice.endpoint_limits (endpoint_id, postponed_until,"
            " postponed_because) VALUES (7, now() + interval '1 minute', '429')"
        )
    # The test's Redis is away.
    assert await codes(admin, task_id) == ["no_worker", "registry_postponed", "redis_away"]
    await a_worker(database)
    await admin.post("/pauses", {"scope": "everything", "comment": "holidays"})
    found = (await admin.get(f"/tasks/{task_id}/explanation")).json
    assert found[0]["code"] == "paused"
    assert found[0]["message"].endswith(": holidays")
    await admin.post(f"/tasks/{task_id}/stop")
    (ended,) = (await admin.get(f"/tasks/{task_id}/explanation")).json
    assert ended["code"] == "ended"
    assert "stopped by admin" in ended["message"]
    assert (await admin.get("/tasks/4711/explanation")).status == 404
