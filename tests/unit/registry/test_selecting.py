"""Selectors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import InvalidPattern
from registry import selecting
from registry.selecting import Decoration, InvalidSelector, Selector, Subject


def tags(decoration: str, pattern: str, extras: str | None = None) -> Selector:
    said = {"kind": "doublestar", "decoration": decoration, "pattern": pattern, "extras": extras}
    return Selector.parse(said, Subject.TAG)


@pytest.mark.parametrize(
    ("decoration", "pattern", "name", "taken"),
    [
        ("matches", "v*", "v1", True),
        ("matches", "v*", "latest", False),
        ("matches", "**", "latest", True),
        ("matches", "{v*,release-*}", "release-1", True),
        ("excludes", "v*", "v1", False),
        ("excludes", "v*", "latest", True),
        ("excludes", "**", "latest", False),
    ],
)
def test_a_tag_is_taken_by_its_name(
    decoration: str, pattern: str, name: str, *, taken: bool
) -> None:
    assert tags(decoration, pattern).takes(name) is taken


@pytest.mark.parametrize(
    ("decoration", "pattern", "name", "taken"),
    [
        ("repoMatches", "app", "app", True),
        ("repoMatches", "app", "team/app", False),
        ("repoMatches", "**", "team/app", True),
        ("repoMatches", "*", "team/app", False),
        ("repoExcludes", "test/**", "test/app", False),
        ("repoExcludes", "test/**", "app", True),
    ],
)
def test_a_repository_is_taken_by_its_name(
    decoration: str, pattern: str, name: str, *, taken: bool
) -> None:
    said = {"kind": "doublestar", "decoration": decoration, "pattern": pattern}
    assert Selector.parse(said, Subject.REPOSITORY).takes(name) is taken


@pytest.mark.parametrize(
    ("decoration", "found", "taken"),
    [
        ("matches", ["latest", "v1"], True),
        ("matches", ["latest"], False),
        ("excludes", ["latest", "v1"], True),
        ("excludes", ["v1", "v2"], False),
    ],
)
def test_any_tag_of_an_artifact_will_do(decoration: str, found: list[str], *, taken: bool) -> None:
    assert tags(decoration, "v*").takes_artifact(found) is taken


@pytest.mark.parametrize(
    ("decoration", "extras", "taken"),
    [
        ("matches", None, True),
        ("matches", "", True),
        ("matches", "{}", True),
        ("matches", '{"untagged":true}', True),
        ("matches", '{"untagged": false}', False),
        ("excludes", None, True),
        ("excludes", '{"untagged":false}', True),
        ("excludes", '{"untagged":true}', False),
    ],
)
def test_what_has_no_tag_is_taken_as_in_harbor(
    decoration: str, extras: str | None, *, taken: bool
) -> None:
    assert tags(decoration, "v*", extras).takes_artifact([]) is taken


def test_an_empty_pattern_matches_everything() -> None:
    assert Selector(decoration=Decoration.MATCHES, pattern="").takes("anything")
    assert not Selector(decoration=Decoration.EXCLUDES, pattern="").takes("anything")


def test_everything_that_is_wrong_is_named_at_once() -> None:
    said = {"kind": "label", "decoration": "matches", "pattern": "a[", "extras": "[]"}
    assert list(selecting.problems(said, Subject.REPOSITORY, place="scope.0")) == [
        "scope.0.kind: 'label' is not known; it is doublestar",
        "scope.0.decoration: 'matches' is not known; it is repoMatches or repoExcludes",
        "scope.0.pattern: pattern 'a[', character 2: the bracket is never closed",
        "scope.0.extras: '[]' is neither empty nor {\"untagged\":true} or false",
    ]


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InvalidSelector) as refused:
        Selector.parse({}, Subject.TAG)
    assert refused.value.problems == (
        "kind: is missing; it is doublestar",
        "decoration: is missing; it is matches or excludes",
        "pattern: is missing; ** takes everything",
    )


@pytest.mark.parametrize(
    "extras",
    [
        '{"untagged":1}',
        '{"untagged":true,"more":1}',
        '{"else":true}',
        "{",
        '"untagged"',
        7,
        [],
        "[" * 9999,
    ],
)
def test_extras_that_say_something_else_are_refused(extras: object) -> None:
    said = {"kind": "doublestar", "decoration": "matches", "pattern": "**", "extras": extras}
    assert len(list(selecting.problems(said, Subject.TAG))) == 1


def test_a_selector_with_a_bad_pattern_cannot_be_made() -> None:
    with pytest.raises(InvalidPattern):
        Selector(decoration=Decoration.MATCHES, pattern="{")


@given(
    subject=st.sampled_from(Subject),
    which=st.integers(min_value=0, max_value=1),
    pattern=st.sampled_from(["**", "v*", "{a,b}", "[a-z]?"]),
    untagged=st.sampled_from([None, True, False]),
)
def test_a_selector_reads_back_as_it_was_said(
    subject: Subject, which: int, pattern: str, *, untagged: bool | None
) -> None:
    made = Selector(decoration=subject.value[which], pattern=pattern, untagged=untagged)
    said: dict[str, Any] = made.to_json()
    assert Selector.parse(said, subject) == made
    assert Selector.parse(said, subject).to_json() == said
