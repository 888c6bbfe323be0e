"""Which repositories of another registry a policy's rules name."""

from __future__ import annotations

from typing import Any

import pytest

from jobservice.jobs.retention_remote import named
from tests.unit.registry.retention.examples import delete, rules, selector

APP = selector("team/app", "repoMatches")


@pytest.mark.parametrize(
    ("repositories", "names"),
    [
        ([APP], ["team/app"]),
        ([selector("team/{app,web}", "repoMatches")], ["team/app", "team/web"]),
        ([selector("team/*", "repoMatches")], None),
        ([selector("team/app", "repoExcludes")], None),
        ([{**APP, "kind": "regex"}], None),
        ([APP, {**APP, "kind": "regex"}], ["team/app"]),
    ],
)
def test_repositories_are_named_by_globs_without_wildcards_alone(
    repositories: list[dict[str, Any]], names: list[str] | None
) -> None:
    assert named(rules(delete("x", repositories=repositories))) == names
