"""How an operation is asked, and what of its answer has to be as documented."""

from __future__ import annotations

import os
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jobservice.api import application, openapi

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "5"))  # noqa: TID251 - a test's own option
SECONDS = 30
NOT_BUILT = 501
DOCUMENT = openapi.document(application.ROUTES, version="0")
# The same examples in every run.
ALIKE = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def nothing_broke(_context: Any, response: Any, case: schemathesis.Case[Any]) -> None:
    """Of all 5xx only 501 may be: what Harbor has and this version has not."""
    status = response.status_code
    assert status < 500 or status == NOT_BUILT, f"{case.as_curl_command()}: {status}"


CHECKS = [
    nothing_broke,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
