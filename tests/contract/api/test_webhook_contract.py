"""The models of the tag `webhook` against Harbor's, for projects and for the whole installation.

data/harbor_webhook.json is made from harbor-swagger.yaml; names of plain strings are replaced.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobservice.api import application, openapi
from jobservice.api.handlers import webhooks

DATA = Path(__file__).parent.parent / "data" / "harbor_webhook.json"
HARBOR: dict[str, Any] = json.loads(DATA.read_text())
OURS = openapi.document(application.ROUTES, version="0")["components"]["schemas"]


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Our schema without null and limits, references by name."""
    for choice in schema.get("anyOf", []):
        if choice != {"type": "null"}:
            return plain(choice)
    if "$ref" in schema:
        return {"$ref": schema["$ref"].rpartition("/")[2]}
    if schema.get("type") == "array":
        return {"type": "array", "items": plain(schema["items"])}
    return {"type": schema.get("type")}


@pytest.mark.parametrize("name", sorted(HARBOR))
def test_a_definition_has_harbors_fields(name: str) -> None:
    mine = OURS[name]["properties"]
    assert set(mine) - set(HARBOR[name]) <= {"transship"}
    for field, wanted in HARBOR[name].items():
        assert plain(mine[field]) == wanted, field


def test_harbors_paths_are_there_beneath_system() -> None:
    paths = {route.path.removeprefix(webhooks.ROOT) for route in webhooks.ROUTES}
    task = "/policies/{id}/executions/{execution_id}/tasks"
    harbors = {
        "/policies",
        "/policies/{id}",
        "/policies/{id}/executions",
        task,
        f"{task}/{{task_id}}/log",
    }
    assert harbors | {"/events", "/lasttrigger"} <= paths


def test_harbors_operations_are_there_for_projects() -> None:
    root = "/api/v2.0/projects/{project_name_or_id}/webhook"
    one = f"{root}/policies/{{webhook_policy_id}}"
    task = f"{one}/executions/{{execution_id}}/tasks"
    ours = {(route.method, route.path, route.operation_id.lower()) for route in application.ROUTES}
    assert {
        ("GET", f"{root}/events", "getsupportedeventtypes"),
        ("GET", f"{root}/policies", "listwebhookpoliciesofproject"),
        ("POST", f"{root}/policies", "createwebhookpolicyofproject"),
        ("GET", one, "getwebhookpolicyofproject"),
        ("PUT", one, "updatewebhookpolicyofproject"),
        ("DELETE", one, "deletewebhookpolicyofproject"),
        ("GET", f"{one}/executions", "listexecutionsofwebhookpolicy"),
        ("GET", task, "listtasksofwebhookexecution"),
        ("GET", f"{task}/{{task_id}}/log", "getlogsofwebhooktask"),
        ("GET", f"{root}/lasttrigger", "lasttrigger"),
    } <= ours
