"""What rules ask of artifacts as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.retention.criterion import Fact
from registry.retention.errors import UnknownFact
from registry.retention.rule_set import RuleSet, problems
from tests.unit.registry.retention.examples import (
    artifact,
    decided,
    delete,
    harbor,
    keep,
    rules,
    selector,
    staying,
)

NAMES = st.frozensets(st.sampled_from("abc"))


def labelled(pattern: str, decoration: str = "withLabels") -> dict[str, Any]:
    return {"kind": "label", "decoration": decoration, "pattern": pattern}


@pytest.mark.parametrize(
    ("pattern", "decoration", "stay"),
    [
        ("keep", "withLabels", {1, 2}),
        ("keep,new", "withLabels", {2}),
        ("keep,nobody", "withLabels", set()),
        ("keep", "withoutLabels", {3, 4}),
        ("keep,new", "withoutLabels", {4}),
        ("nobody", "withoutLabels", {1, 2, 3, 4}),
    ],
)
def test_with_labels_wants_all_and_without_labels_wants_none(
    pattern: str, decoration: str, stay: set[int]
) -> None:
    """As Harbor's selector decides."""
    artifacts = [
        artifact(number, f"v{number}", labels=frozenset(names))
        for number, names in enumerate((["keep"], ["keep", "new"], ["new"], []), 1)
    ]
    assert staying(decided(artifacts, harbor("always", None, labelled(pattern, decoration)))) == (
        stay
    )


def test_labels_are_asked_of_artifacts_that_the_names_take() -> None:
    artifacts = [
        artifact(1, "v1", labels=frozenset({"keep"})),
        artifact(2, "dev", labels=frozenset({"keep"})),
        artifact(3, labels=frozenset({"keep"})),
        artifact(4, "v4", labels=frozenset()),
    ]
    only_tagged = selector("v*", extras='{"untagged":false}')
    rule = harbor("always", None, only_tagged, labelled("keep"))
    assert staying(decided(artifacts, rule)) == {1}
    assert staying(decided(artifacts, harbor("always", None, labelled("keep")))) == {1, 2, 3}


def test_labels_count_before_the_newest_are_counted() -> None:
    artifacts = [
        artifact(number, f"v{number}", pushed=9 - number, labels=frozenset(names))
        for number, names in enumerate((["keep"], ["keep"], [], ["keep"]), 1)
    ]
    rule = harbor("latestPushedK", 2, labelled("keep"))
    assert staying(decided(artifacts, rule)) == {2, 4}


@pytest.mark.parametrize("scope", ["digest", "tag"])
def test_a_delete_rule_of_our_own_asks_for_labels_too(scope: str) -> None:
    artifacts = [
        artifact(1, "v1", labels=frozenset({"temporary"})),
        artifact(2, "v2", labels=frozenset()),
    ]
    rule = {"action": "delete", "tags": [labelled("temporary")]}
    assert staying(decided(artifacts, rule, scope=scope)) == {2}


def test_what_has_no_tag_is_selected_by_its_labels() -> None:
    artifacts = [artifact(1, labels=frozenset({"x"})), artifact(2, labels=frozenset())]
    rule = {"action": "delete", "tag_state": "untagged", "tags": [labelled("x")]}
    assert staying(decided(artifacts, rule)) == {2}
    (wrong,) = problems(None, [{**rule, "tags": [labelled("x"), selector("v*")]}])
    assert "what has no tag is selected by none" in wrong


def test_a_rule_that_asks_for_labels_nobody_looked_up_decides_nothing() -> None:
    with pytest.raises(UnknownFact, match="rule 1 asks for the labels, and the registry does not"):
        decided([artifact(1, "v1")], harbor("always", None, labelled("x", "withoutLabels")))


@given(NAMES, NAMES.filter(bool))
def test_an_artifact_is_never_both_with_and_without(has: frozenset[str], asked: set[str]) -> None:
    found = [artifact(1, "v1", labels=has)]
    pattern = ",".join(sorted(asked))
    kept = [
        bool(staying(decided(found, harbor("always", None, labelled(pattern, decoration)))))
        for decoration in ("withLabels", "withoutLabels")
    ]
    assert kept == [asked <= has, not asked & has]


def test_selectors_by_labels_survive_reading_and_writing_in_their_order() -> None:
    listed = [labelled("a,b"), selector("v*"), labelled("c", "withoutLabels")]
    read = rules(harbor("always", None, *listed), {"action": "delete", "tags": listed})
    assert read.harbor[0]["tag_selectors"] == listed
    assert read.own[0]["tags"] == listed
    assert RuleSet.parse(read.harbor, read.own) == read
    assert [facts for _, facts in read.facts()] == [{Fact.LABELS}, {Fact.LABELS}]
    assert read.needed == {Fact.LABELS}
    assert rules(harbor("always")).needed == set()


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"decoration": "matches"}, "decoration: 'matches' is not known; it is withLabels or with"),
        ({"decoration": None}, "decoration: is missing; it is withLabels or withoutLabels"),
        ({"pattern": ""}, "pattern: is missing; it is names of labels, separated by commas"),
        ({"pattern": ["a"]}, "pattern: is missing"),
        ({"pattern": "a,,b"}, "pattern: 'a,,b' has an empty name"),
        ({"pattern": "a, b"}, "pattern: 'a, b' has an empty name, or one that begins or ends"),
        ({"extras": '{"untagged":true}'}, "extras: a selector by labels has none"),
    ],
)
def test_what_is_wrong_with_a_selector_by_labels_is_said(said: dict[str, Any], wrong: str) -> None:
    one = {**labelled("a"), **said}
    found = [
        *problems([harbor("always", None, one)]),
        *problems(None, [{"action": "delete", "tags": [one]}]),
    ]
    assert len(found) == 2
    assert all(wrong in sentence for sentence in found)


def test_a_repository_has_no_labels() -> None:
    rule = harbor("always")
    rule["scope_selectors"]["repository"] = [labelled("a")]
    assert any("repository[0].kind: 'label' is not known" in one for one in problems([rule]))


def test_a_keep_rule_covers_a_delete_rule_that_asks_for_the_same_labels() -> None:
    doomed = delete("a")
    asking = {**keep("a"), "tags": [selector("a"), labelled("x")]}
    assert list(problems(None, [doomed, asking])) == []
    doomed["tags"].append(labelled("x"))
    (wrong,) = problems(None, [doomed, asking])
    assert "deletes nothing" in wrong
