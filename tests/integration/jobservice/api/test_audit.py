"""What operators do through the API, in the audit log."""

from __future__ import annotations

from typing import Any

from database.pool import Database
from jobservice.api import application
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller

# What is posted and changes nothing.
ONLY_ASKED = {"pingRegistry", "previewUnsavedRetention"}


async def rows(database: Database) -> list[Any]:
    query = "SELECT * FROM access.audit_log ORDER BY id"
    async with database.connection() as connection:
        return list(await connection.fetch(query))


def test_every_operation_that_changes_something_has_an_event() -> None:
    nameless = [
        route.operation_id
        for route in application.ROUTES
        if route.method not in {"GET", "HEAD"} and route.event is None
    ]
    assert set(nameless) == ONLY_ASKED


async def test_what_an_operator_does_is_recorded(
    admin: Caller, upstream: FakeRegistry, database: Database
) -> None:
    registry = {
        "name": "up",
        "type": "docker-registry",
        "url": upstream.url,
        "credential": {"access_key": "eve", "access_secret": "hunter2"},
    }
    made = await admin.post("/registries", registry)
    endpoint_id = int(made.headers["Location"].rpartition("/")[2])
    await admin.put(f"/registries/{endpoint_id}", {"description": "new"})
    policy = {"name": "p", "enabled": True, "src_registry": {"id": endpoint_id}}
    await admin.post("/replication/policies", policy)
    await admin.put("/replication/policies/1", policy)
    await admin.post("/replication/executions", {"policy_id": 1})
    await admin.put("/replication/executions/1")
    await admin.post("/projects", {"project_name": "team"})
    await admin.delete("/projects/team")
    found = await rows(database)
    assert [f"{row['operation']}_{row['resource_type']} {row['resource']}" for row in found] == [
        "create_registry up",
        "update_registry up",
        "create_policy p",
        "update_policy p",
        "start_execution 1",
        "stop_execution 1",
        "create_project team",
        "delete_project team",
    ]
    assert {row["username"] for row in found} == {"admin"}
    assert {row["address"] for row in found} == {"127.0.0.1"}
    assert "hunter2" not in str([dict(row) for row in found])


async def test_what_is_refused_is_recorded_as_unsuccessful(
    admin: Caller, nobody: Caller, stranger: Caller, database: Database
) -> None:
    await admin.post("/projects", {"project_name": "library"})
    await nobody.delete("/projects/library")
    await stranger.delete("/projects/library")
    await admin.get("/projects/nowhere")
    secret = "http://eve:hunter2@r.example"
    await admin.post("/registries", {"name": "r", "type": "x", "url": secret})
    found = await rows(database)
    assert [(row["username"], row["operation"], row["successful"]) for row in found] == [
        ("admin", "create", False),
        ("nobody", "delete", False),
        ("admin", "create", False),
    ]
    assert "already" in found[0]["description"]
    assert [row["details"]["status"] for row in found] == [409, 403, 400]
    assert "hunter2" not in str([dict(row) for row in found])
