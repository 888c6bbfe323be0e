"""Every answer that a test receives is held against the OpenAPI document that we publish."""

from __future__ import annotations

import re
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from jobservice.api import application, openapi

DOCUMENT = openapi.document(application.ROUTES, version="0")
URI = "urn:transship"
KNOWN: Registry[Any] = Registry().with_resource(
    URI, Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
)
PATTERNS = [
    (re.compile(re.sub(r"\{\w+\}", "[^/]+", route.path)), route) for route in application.ROUTES
]


def check(method: str, path: str, status: int, body: Any, *, media_type: str = "") -> None:
    """Raise ValidationError, or AssertionError for a status that the document does not have.

    Or for a media type that it does not have; an answer without a body has none.
    """
    operations = [r for pattern, r in PATTERNS if pattern.fullmatch(path) and r.method == method]
    if not operations:
        return
    # The plain path is declared before the one with a parameter, and wins here as it does there.
    route = operations[0]
    place = ("paths", openapi.path_of(route), method.lower(), "responses", str(status))
    answer: Any = DOCUMENT
    for step in place:
        answer = answer.get(step, {})
    assert answer or status in {413, 415, 503}, f"{method} {path} answers {status} undeclared"
    if "content" not in answer:
        return
    assert media_type in {"", *answer["content"]}, f"{method} {path} answers {media_type}"
    if body is None:
        return
    pointer = "/".join(
        step.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
        for step in (*place, "content", "application/json", "schema")
    )
    Draft202012Validator({"$ref": f"{URI}#/{pointer}"}, registry=KNOWN).validate(body)
