"""The OpenAPI 3.1 document, made from the route declarations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from jobservice.api.models.base import Errors, Nothing
from jobservice.api.router import API_ROOT, Permission, Route

VERSION = "3.1.0"
REFERENCE = "#/components/schemas/{model}"
SECURITY = "basic"


def document(routes: Sequence[Route], *, version: str) -> dict[str, Any]:
    """Return the document as JSON values; paths outside of /api/v2.0 name their own server."""
    paths: dict[str, Any] = {}
    for route in routes:
        item = paths.setdefault(path_of(route), {})
        item[route.method.lower()] = _operation(route)
        if not route.path.startswith(API_ROOT):
            item["servers"] = [{"url": "/"}]
    return {
        "openapi": VERSION,
        "info": {"title": "Transship", "version": version},
        "servers": [{"url": API_ROOT}],
        "security": [{SECURITY: []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {SECURITY: {"type": "http", "scheme": "basic"}},
        },
    }


def path_of(route: Route) -> str:
    """Return a route's path beneath its server, parameters in braces."""
    return re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path.removeprefix(API_ROOT)) or "/"


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [
            *_parameters(route.parameters, "path"),
            *_parameters(route.query, "query"),
        ],
        "responses": _responses(route),
    }
    if route.permission is Permission.ANYBODY:
        operation["security"] = []
    if route.body is not Nothing:
        schema = {"$ref": REFERENCE.format(model=route.body.__name__)}
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(model: type[BaseModel], place: str) -> Iterator[dict[str, Any]]:
    schema = model.model_json_schema(ref_template=REFERENCE)
    required = schema.get("required", [])
    for name, shape in schema.get("properties", {}).items():
        yield {"name": name, "in": place, "required": name in required, "schema": shape}


def _responses(route: Route) -> dict[str, Any]:
    responses: dict[str, Any] = {str(route.status): _success(route)}
    problem = {"application/json": {"schema": {"$ref": REFERENCE.format(model="Errors")}}}
    plain = {"text/plain": {"schema": _shape(str)}}
    for status in sorted(_error_statuses(route)):
        content = plain if status in route.plain_errors else problem
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return responses


def _error_statuses(route: Route) -> set[int]:
    # Wrong credentials are refused even where none are needed.
    statuses = {*route.errors, *route.plain_errors, 401, 500}
    if route.permission is not Permission.ANYBODY:
        statuses.add(403)
    if route.body is not Nothing or route.parameters is not Nothing or route.query is not Nothing:
        statuses.add(400)
    return statuses


def _success(route: Route) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.response is not None:
        others = {name: {"schema": _shape(str)} for name in route.other_media_types}
        answer["content"] = {route.media_type: {"schema": _shape(route.response)}, **others}
    headers = ["X-Request-Id"]
    headers += ["X-Total-Count", "Link"] if route.paged else []
    headers += ["Location"] if route.status == HTTPStatus.CREATED else []
    answer["headers"] = {name: {"schema": {"type": "string"}} for name in headers}
    return answer


def _shape(response: Any) -> dict[str, Any]:
    if response is str:
        return {"type": "string"}
    if response is Any:
        return {}
    arguments = get_args(response)
    if len(arguments) == 1:
        return {"type": "array", "items": _shape(arguments[0])}
    if arguments:
        return {"type": "object", "additionalProperties": _shape(arguments[1])}
    return {"$ref": REFERENCE.format(model=response.__name__)}


def _schemas(routes: Iterable[Route]) -> dict[str, Any]:
    models: dict[type[BaseModel], None] = {Errors: None}
    for route in routes:
        if route.body is not Nothing:
            models[route.body] = None
        for part in (route.response, *get_args(route.response)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                models[part] = None
    _, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template=REFERENCE
    )
    found: dict[str, Any] = schema["$defs"]
    return found
