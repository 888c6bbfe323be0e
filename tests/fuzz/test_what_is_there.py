"""Retention, garbage, immutability and labels, asked about what exists: with success, and oddly."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz import stock
from tests.fuzz.asking import ALIKE, CHECKS, DOCUMENT, SECONDS
from tests.fuzz.conftest import Served
from tests.fuzz.stock import Known

# A schema of its own: the other one has a hook that changes ids.
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
JSON = "application/json"


def ask(case: schemathesis.Case[Any], served: Served) -> int:
    answer = case.call_and_validate(
        base_url=served.api, checks=CHECKS, auth=served.login, timeout=SECONDS
    )
    return int(answer.status_code)


def mixed(known: Known, given_body: Any, kept: set[str]) -> Any:
    """Return a body of which some is as it should be and the rest as chance has it."""
    if known.body is None or not isinstance(given_body, dict):
        return given_body
    return {**given_body, **{name: known.body[name] for name in kept}}


@pytest.mark.parametrize(("method", "path"), stock.KNOWN, ids=map(" ".join, stock.KNOWN))
def test_what_is_there_is_found_and_odd_questions_about_it_are_answered_as_documented(
    method: str, path: str, served: Served
) -> None:
    known = stock.KNOWN[method, path](stock.stocked(served))
    operation = SCHEMA[path][method]
    body: dict[str, Any] = {} if known.body is None else {"body": known.body, "media_type": JSON}
    right = operation.Case(path_parameters=dict(known.path), query=dict(known.query), **body)
    assert ask(right, served) < 300
    names = sorted(known.body or ())

    @ALIKE
    @given(
        case=operation.as_strategy(),
        kept=st.sets(st.sampled_from(names)) if names else st.just(set()),
    )
    def odd(case: schemathesis.Case[Any], kept: set[str]) -> None:
        case.path_parameters = dict(known.path)
        case.body = mixed(known, case.body, kept)
        ask(case, served)

    odd()
