from __future__ import annotations

from typing import Any

import pytest

from jobservice.domain import purge
from jobservice.domain.purge import PurgeParameters

GOOD = {
    "audit_retention_hour": 168,
    "dry_run": True,
    "include_event_types": "create_policy, stop_execution,create_policy",
    "include_operations": "start,",
}


def test_harbors_form_is_read_and_kept() -> None:
    assert list(purge.problems(GOOD)) == []
    found = PurgeParameters.of(GOOD)
    assert found == PurgeParameters(
        retention_hours=168, events=("create_policy", "stop_execution", "start"), dry_run=True
    )
    assert PurgeParameters.of(found.to_json()) == found


def test_nothing_goes_that_is_not_named() -> None:
    assert PurgeParameters.of({"audit_retention_hour": 1}).events == ()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"audit_retention_hour": None}, "audit_retention_hour: is needed"),
        ({"audit_retention_hour": 0}, "from 1 to 240000"),
        ({"audit_retention_hour": True}, "audit_retention_hour"),
        ({"audit_retention_hour": 10**30}, "audit_retention_hour"),
        ({"audit_retention_hour": "7"}, "audit_retention_hour"),
        ({"dry_run": "yes"}, "neither true nor false"),
        ({"include_event_types": ["a"]}, "separated by commas"),
        ({"include_operations": "a" * 20_000}, "separated by commas"),
        ({"include_event_types": "a,b c"}, "'b c' is no name"),
    ],
)
def test_what_is_wrong_is_said(changed: dict[str, Any], problem: str) -> None:
    (found,) = purge.problems({**GOOD, **changed})
    assert problem in found


def test_only_the_age_has_to_be_said() -> None:
    assert list(purge.problems({"audit_retention_hour": 1})) == []
