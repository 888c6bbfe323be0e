"""The generated OpenAPI document against Harbor's swagger, for every operation that is built.

data/harbor_v2.json is the part of harbor-swagger.yaml that concerns the built tags, references
resolved: paths, parameters, bodies, answers and the shapes of definitions.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobservice.api import application, openapi
from jobservice.api.router import Permission, Route

DATA = Path(__file__).parent.parent / "data" / "harbor_v2.json"
HARBOR: dict[str, Any] = json.loads(DATA.read_text())
OURS = openapi.document(application.ROUTES, version="0")
TAGS = {
    "registry",
    "jobservice",
    "replication",
    "ping",
    "health",
    "systeminfo",
    "schedule",
    "auditlog",
    "purge",
    "immutable",
    "Retention",
    "gc",
    "label",
}
OPERATIONS = [
    (path, method)
    for path, item in HARBOR["paths"].items()
    for method, operation in item.items()
    if TAGS & set(operation["tags"])
]
PROJECTS = [
    ("/projects", "get"),
    ("/projects", "head"),
    ("/projects", "post"),
    ("/projects/{project_name_or_id}", "get"),
    ("/projects/{project_name_or_id}", "delete"),
]
# Of the tag `configure`; what Harbor asks of itself is its own.
CONFIGURATIONS = [("/configurations", "get"), ("/configurations", "put")]
# Of the tag `artifact`.
ARTIFACT_LABELS = (
    "/projects/{project_name}/repositories/{repository_name}/artifacts/{reference}/labels"
)
LABELLING = [(ARTIFACT_LABELS, "post"), (f"{ARTIFACT_LABELS}/{{label_id}}", "delete")]
BUILT = [*OPERATIONS, *PROJECTS, *CONFIGURATIONS, *LABELLING]
# Statuses of Harbor's document that never come here: 422 is 400, as DESIGN section 4 says.
NEVER = {"422"}
# No volume is ever missing here; what starts a run makes something, which is 201.
UNUSED = {
    ("/systeminfo/volumes", "get"): {"404"},
    ("/retentions/{id}/executions", "post"): {"200"},
}


def ours(path: str, method: str) -> dict[str, Any]:
    operation: dict[str, Any] = OURS["paths"][path][method]
    return operation


def plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Our schema in the words of the data: no null, no limits, references by name."""
    for choice in schema.get("anyOf", []):
        if choice != {"type": "null"}:
            return plain(choice)
    if "$ref" in schema:
        return {"$ref": schema["$ref"].rpartition("/")[2]}
    if schema.get("type") == "array":
        return {"type": "array", "items": plain(schema["items"])}
    if isinstance(schema.get("additionalProperties"), dict):
        extra = plain(schema["additionalProperties"])
        return {"type": "object", "additionalProperties": extra}
    return {"type": schema.get("type")}


def body_schema(content: dict[str, Any] | None) -> dict[str, Any] | None:
    return plain(next(iter(content.values()))["schema"]) if content else None


@pytest.mark.parametrize(("path", "method"), BUILT)
def test_an_operation_has_harbors_parameters(path: str, method: str) -> None:
    theirs = HARBOR["paths"][path][method]["parameters"]
    found = {(p["name"], p["in"]): p for p in ours(path, method)["parameters"]}
    for parameter in theirs:
        mine = found[parameter["name"], parameter["in"]]
        assert mine["required"] == parameter["required"]
        assert plain(mine["schema"])["type"] == parameter["type"]


@pytest.mark.parametrize(("path", "method"), BUILT)
def test_an_operation_takes_harbors_body(path: str, method: str) -> None:
    operation = ours(path, method)
    content = operation.get("requestBody", {}).get("content")
    theirs = HARBOR["paths"][path][method].get("body")
    if theirs is not None and "properties" in theirs:
        model = OURS["components"]["schemas"][(body_schema(content) or {})["$ref"]]
        assert {name: plain(one) for name, one in model["properties"].items()} == (
            theirs["properties"]
        )
    else:
        assert body_schema(content) == theirs
    assert operation["operationId"] == HARBOR["paths"][path][method]["operationId"]
    assert operation["tags"] == HARBOR["paths"][path][method]["tags"]


@pytest.mark.parametrize(("path", "method"), BUILT)
def test_an_operation_answers_with_harbors_statuses_and_shapes(path: str, method: str) -> None:
    theirs = HARBOR["paths"][path][method]["responses"]
    mine = ours(path, method)["responses"]
    for status, answer in theirs.items():
        if status in NEVER or status in UNUSED.get((path, method), set()):
            continue
        assert status in mine or status == "500"
        if not status.startswith("2"):
            continue
        wanted = answer["schema"]
        if wanted is not None and wanted.get("type") == "file":
            wanted = {"type": "string"}
        assert body_schema(mine[status].get("content")) == wanted
        assert {h.lower() for h in answer["headers"]} - {
            "content-type",
            "content-disposition",
        } <= {h.lower() for h in mine[status]["headers"]}


BUILT_DEFINITIONS = sorted(set(HARBOR["definitions"]) & set(OURS["components"]["schemas"]))


def test_every_definition_that_is_used_is_compared() -> None:
    assert set(HARBOR["definitions"]) == set(BUILT_DEFINITIONS)


@pytest.mark.parametrize("name", BUILT_DEFINITIONS)
def test_a_definition_has_harbors_fields(name: str) -> None:
    mine = OURS["components"]["schemas"][name]["properties"]
    theirs = HARBOR["definitions"][name]
    assert set(mine) - set(theirs) <= {"transship"}
    for field, wanted in theirs.items():
        if wanted["type" if "type" in wanted else "$ref"] is not None:
            assert plain(mine[field]) == wanted


def test_what_anybody_may_ask_is_marked() -> None:
    def marked(route: Route) -> bool:
        operation = OURS["paths"][openapi.path_of(route)][route.method.lower()]
        return bool(operation.get("security") == [])

    for route in application.ROUTES:
        assert marked(route) is (route.permission is Permission.ANYBODY)
