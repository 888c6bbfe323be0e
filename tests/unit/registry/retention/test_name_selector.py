"""Selectors of names by expression and by version."""

from __future__ import annotations

from typing import Any

import pytest

from registry.retention.rule_set import RuleSet, problems
from tests.unit.registry.retention.examples import (
    artifact,
    decided,
    harbor,
    rules,
    selector,
    staying,
)


def doomed(*tags: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"action": "delete", "tags": list(tags), **fields}


def named(kind: str, pattern: str, decoration: str = "matches") -> dict[str, Any]:
    return {"kind": kind, "decoration": decoration, "pattern": pattern}


ARTIFACTS = [artifact(n, name) for n, name in enumerate(("v1.2", "1.9.1", "2.0", "pr-7", "x"), 1)]


@pytest.mark.parametrize(
    ("one", "stay"),
    [
        (named("regex", r"v?1\.\d+.*"), {3, 4, 5}),
        (named("regex", r"v?1\.\d+.*", "excludes"), {1, 2}),
        (named("regex", "pr"), {1, 2, 3, 4, 5}),
        (named("semver", "<2"), {3, 4, 5}),
        (named("semver", "<2", "excludes"), {1, 2}),
    ],
)
def test_tags_are_selected(one: dict[str, Any], stay: set[int]) -> None:
    for scope in ("digest", "tag"):
        assert staying(decided(ARTIFACTS, doomed(one), scope=scope)) == stay


def test_all_selectors_of_a_rule_have_to_take_a_tag() -> None:
    both = doomed(named("semver", ">=1.3"), selector("1*"))
    assert staying(decided(ARTIFACTS, both)) == {1, 3, 4, 5}
    spared = [artifact(1, "1.5", "stable")]
    assert staying(decided(spared, doomed(named("semver", ">=1")))) == {1}


def test_what_has_no_tag_is_for_the_tag_state_to_say() -> None:
    asked = doomed(named("semver", ">=1"), tag_state="any")
    assert staying(decided([artifact(1), artifact(2, "0.1")], asked)) == {2}


def test_any_tag_of_an_artifact_will_do_and_none_too() -> None:
    (one,) = rules(doomed(named("semver", ">=1"))).rules[0].tags
    assert [one.takes_artifact(tags) for tags in (["x", "1.0"], ["x"], [])] == [True, False, True]


def test_repositories_are_selected_by_expression() -> None:
    where = [named("regex", "(app|web)-[0-9]+", "repoMatches")]
    read = rules(doomed(repositories=where))
    assert read.applying_to("app-1").rules
    assert not read.applying_to("app").rules
    assert RuleSet.parse(None, read.own) == read
    assert read.own[0]["repositories"] == where


def test_selectors_survive_reading_and_writing() -> None:
    listed = [named("regex", "a+", "excludes"), named("semver", "^1 || 3")]
    read = rules(doomed(*listed))
    assert read.own[0]["tags"] == listed
    assert RuleSet.parse(None, read.own) == read
    assert rules(doomed(listed[0])) != rules(doomed(listed[1]))


@pytest.mark.parametrize(
    ("one", "wrong"),
    [
        (named("regex", "(a"), "tags[0].pattern: expression '(a', character 3"),
        (named("regex", ""), "tags[0].pattern: is missing"),
        (named("semver", "new"), "tags[0].pattern: 'new' is no comparison"),
        (named("semver", "1", "repoMatches"), "tags[0].decoration: 'repoMatches' is not known; it"),
        ({"kind": "semver", "pattern": "1"}, "tags[0].decoration: is missing; it is matches or"),
        ({**named("regex", "a"), "extras": "{}"}, "tags[0].extras: the rule's own field"),
        (named("glob", "a"), "tags[0].kind: 'glob' is not known; it is doublestar"),
    ],
)
def test_what_is_wrong_with_a_selector_is_said(one: dict[str, Any], wrong: str) -> None:
    (found,) = problems(None, [doomed(one)])
    assert wrong in found


def test_harbors_rules_and_repositories_have_fewer_kinds() -> None:
    (found,) = problems([harbor("always", None, named("semver", "1"))])
    assert "tag_selectors[0].kind: 'semver' is not known" in found
    repository = named("semver", "1", "repoMatches")
    (found,) = problems(None, [doomed(repositories=[repository])])
    assert "repositories[0].kind: 'semver' is not known" in found
