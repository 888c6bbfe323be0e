"""Every operation of the API under schemathesis: no 5xx, and every answer as the document says.

The same examples in every run; `FUZZ_EXAMPLES=500` looks deeper.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import requests
import schemathesis
from hypothesis import assume

from jobservice.api import application, openapi
from tests.fuzz.asking import ALIKE, CHECKS, DOCUMENT, SECONDS, nothing_broke
from tests.fuzz.conftest import Served

LONGEST_PATH = 4000
# Of what there is: a random number would be an answer 404 nearly always.
IDS = 5

# What does not end by itself is left when it has begun.
STREAM = "text/event-stream"
STREAMS = {openapi.path_of(route) for route in application.ROUTES if route.media_type == STREAM}
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


@SCHEMA.hook
def map_path_parameters(_context: Any, parameters: dict[str, Any] | None) -> Any:
    """Let every second id be one that may exist."""
    return {
        name: value % IDS if isinstance(value, int) and value % 2 else value
        for name, value in (parameters or {}).items()
    }


@SCHEMA.parametrize()
@ALIKE
def test_an_operation_answers_as_documented(case: schemathesis.Case[Any], served: Served) -> None:
    # A longer request line is refused before anybody knows what it is about.
    assume(len(case.as_transport_kwargs(base_url=served.api)["url"]) < LONGEST_PATH)
    assume(len(urlencode(case.query or {})) < LONGEST_PATH)
    is_beneath = "servers" not in DOCUMENT["paths"][case.operation.path]
    root = served.api if is_beneath else served.url
    if case.operation.path in STREAMS or "follow" in (case.query or {}):
        _listen_in(case, root, served)
        return
    case.call_and_validate(base_url=root, checks=CHECKS, auth=served.login, timeout=SECONDS)


def _listen_in(case: schemathesis.Case[Any], root: str, served: Served) -> None:
    request = case.as_transport_kwargs(base_url=root)
    with requests.request(**request, auth=served.login, timeout=SECONDS, stream=True) as answer:
        nothing_broke(None, answer, case)
        operation = DOCUMENT["paths"][case.operation.path].get(case.method.lower())
        if operation is not None:
            assert str(answer.status_code) in operation["responses"], case.as_curl_command()
            documented = operation["responses"][str(answer.status_code)].get("content")
            received = answer.headers.get("Content-Type", "").partition(";")[0]
            assert documented is None or received in documented, case.as_curl_command()
