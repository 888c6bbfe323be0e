"""Harbor's webhook policies of a project."""

from __future__ import annotations

from typing import Any

import pytest

from database.pool import Database
from tests.integration.jobservice.api.caller import Caller

SYSTEM = "/system/webhook/policies"
TEAM = "/projects/team/webhook"
OTHER = "/projects/other/webhook"


def body(**changes: Any) -> dict[str, Any]:
    return {
        "name": "ci",
        "event_types": ["PUSH_ARTIFACT", "PULL_ARTIFACT"],
        "targets": [{"type": "http", "address": "http://127.0.0.1:9/hook"}],
        "enabled": True,
        **changes,
    }


@pytest.fixture(autouse=True)
async def _projects(admin: Caller) -> None:
    for name in ("team", "other"):
        assert (await admin.post("/projects", {"project_name": name})).status == 201


async def project_id(admin: Caller, name: str) -> int:
    found: int = (await admin.get(f"/projects/{name}")).json["project_id"]
    return found


async def test_a_projects_hook_is_made_read_changed_and_removed(admin: Caller) -> None:
    made = await admin.post(f"{TEAM}/policies", body())
    assert made.status == 201
    path = made.headers["Location"].removeprefix("/api/v2.0")
    shown = (await admin.get(path)).json
    assert shown["project_id"] == await project_id(admin, "team")
    assert (shown["name"], shown["event_types"]) == ("ci", ["PUSH_ARTIFACT", "PULL_ARTIFACT"])
    assert (await admin.put(path, {**shown, "description": "builds"})).status == 200
    by_id = path.replace("/team/", f"/{shown['project_id']}/")
    assert (await admin.get(by_id)).json["description"] == "builds"
    assert (await admin.get(f"{TEAM}/policies")).json == [(await admin.get(path)).json]
    assert (await admin.delete(path)).status == 200
    assert (await admin.get(path)).status == 404


async def test_a_hook_is_seen_beneath_its_own_project_only(admin: Caller) -> None:
    made = await admin.post(f"{TEAM}/policies", body())
    hook_id = made.headers["Location"].rpartition("/")[2]
    for elsewhere in (f"{OTHER}/policies", SYSTEM):
        assert (await admin.get(elsewhere)).json == []
        for method in (admin.get, admin.delete):
            assert (await method(f"{elsewhere}/{hook_id}")).status == 404
        assert (await admin.put(f"{elsewhere}/{hook_id}", body())).status == 404
        assert (await admin.post(f"{elsewhere}/{hook_id}/test")).status == 404
        assert (await admin.get(f"{elsewhere}/{hook_id}/deliveries")).status == 404
    assert (await admin.get(f"{TEAM}/policies/{hook_id}")).status == 200
    # A name is free in every project.
    assert (await admin.post(f"{OTHER}/policies", body())).status == 201
    assert (await admin.post(f"{TEAM}/policies", body())).status == 409


async def test_a_project_that_is_not_there_has_no_hooks(admin: Caller) -> None:
    for path in ("policies", "events", "lasttrigger"):
        assert (await admin.get(f"/projects/nowhere/webhook/{path}")).status == 404
    assert (await admin.post("/projects/nowhere/webhook/policies", body())).status == 404


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"event_types": ["PUSH_ARTIFACT", "REPLICATION"]}, "hear of what happens in it only"),
        ({"event_types": ["QUOTA_WARNING"]}, "'QUOTA_WARNING' is not built"),
        ({"project_id": 77}, "project_id: 77"),
    ],
)
async def test_what_a_project_cannot_hear_of_is_refused(
    admin: Caller, changes: dict[str, Any], told: str
) -> None:
    answer = await admin.post(f"{TEAM}/policies", body(**changes))
    assert answer.status == 400
    assert told in answer.messages


async def test_a_hook_of_a_project_cannot_be_made_among_the_installations(admin: Caller) -> None:
    answer = await admin.post(SYSTEM, body(project_id=await project_id(admin, "team")))
    assert answer.status == 400
    assert "/projects/{project_name_or_id}/webhook/policies" in answer.messages


async def test_a_project_lists_what_its_hooks_may_hear_of(admin: Caller) -> None:
    known = (await admin.get(f"{TEAM}/events")).json["event_type"]
    assert known == ["PUSH_ARTIFACT", "PULL_ARTIFACT", "DELETE_ARTIFACT", "DELETE_TAG"]


async def test_a_test_of_a_projects_hook_has_its_execution_task_and_delivery(
    admin: Caller,
) -> None:
    made = await admin.post(f"{TEAM}/policies", body())
    path = made.headers["Location"].removeprefix("/api/v2.0")
    (delivery_id,) = (await admin.post(f"{path}/test")).json["deliveries"]
    (execution,) = (await admin.get(f"{path}/executions")).json
    (task,) = (await admin.get(f"{path}/executions/{execution['id']}/tasks")).json
    log = await admin.get(f"{path}/executions/{execution['id']}/tasks/{task['id']}/log")
    assert log.status == 200
    assert (await admin.get(f"{path}/deliveries/{delivery_id}")).json["event_type"] == "TEST"
    triggers = (await admin.get(f"{TEAM}/lasttrigger")).json
    assert {one["policy_name"] for one in triggers} == {"ci"}
    assert (await admin.get("/system/webhook/lasttrigger")).json == []


async def test_a_projects_hooks_go_with_it(admin: Caller, database: Database) -> None:
    await admin.post(f"{TEAM}/policies", body())
    assert (await admin.delete("/projects/team")).status == 200
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM jobservice.hooks") == 0
