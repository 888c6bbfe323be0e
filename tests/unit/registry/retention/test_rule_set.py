from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.retention.criterion import Fact
from registry.retention.errors import InvalidRules
from registry.retention.harbor_rule import TEMPLATES
from registry.retention.rule_set import RuleSet, Scope, problems
from tests.unit.registry.retention.examples import delete, harbor, keep, rules, selector

FIELDS = st.sampled_from(
    [
        *(*harbor("always"), "id", "priority", "disabled", "repository", "kind", "decoration"),
        *("pattern", "extras", "tags", "repositories", "types", "tag_state", "when", "unless"),
        *("newest", "count", "by", "group", "pushed_within_days", "unexpired", "latestPushedK"),
    ]
)
EVERYTHING: dict[str, Any] = {
    "newest": {"count": 3, "by": "semver", "group": "([a-z]+)-.*"},
    "pushed_within_days": 7,
    "pulled_within_days": 30,
    "total_size_bytes": 10**12,
    "unexpired": True,
}


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_harbor_rule_survives_reading_and_writing(template: str) -> None:
    value = 7 if TEMPLATES[template].unit else None
    said = {
        **harbor(template, value, selector("v*", extras='{"untagged":false}')),
        "id": 3,
        "priority": 2,
        "disabled": True,
    }
    read = RuleSet.parse([said])
    assert read.harbor == [said]
    assert RuleSet.parse(read.harbor) == read


def test_own_rules_survive_reading_and_writing() -> None:
    read = rules(
        delete("pr-*", unless=EVERYTHING, types=["image", "chart"], override_immutable=True),
        keep(repositories=[selector("app", "repoMatches")], when={"unexpired": True}),
    )
    again = RuleSet.parse(None, read.own, "digest")
    assert again.own == read.own
    assert read.own[0]["unless"] == EVERYTHING
    assert again.own[1]["when"] == {"unexpired": True}
    assert [one["tag_state"] for one in read.own] == ["tagged", "any"]


def test_rules_are_numbered_as_they_were_written() -> None:
    read = rules(harbor("always"), delete("a"), harbor("always"), keep("b"), scope="tag")
    assert [rule.name for rule in read.rules] == [
        "rule 1",
        "rule 2",
        "transship rule 1",
        "transship rule 2",
    ]
    assert read.scope is Scope.TAG


def test_rules_in_use_are_named() -> None:
    read = rules(harbor("always"), {**harbor("always"), "disabled": True}, delete("a"))
    assert read.names == ("rule 1", "transship rule 1")


def test_rules_that_say_the_same_are_found() -> None:
    once = harbor("latestPushedK", 3)
    assert rules(once, harbor("latestPushedK", 4)).twins() is None
    assert rules(harbor("always"), {**once, "id": 1}, {**once, "id": 2}).twins() == (2, 3)


def test_what_a_rule_has_to_know_is_told() -> None:
    read = rules(
        harbor("latestPulledN", 3),
        harbor("latestPushedK", 3),
        {**harbor("nDaysSinceLastPull", 3), "disabled": True},
        delete("a", unless={"newest": {"count": 1, "by": "semver"}}),
        delete("a", unless={"newest": {"count": 1, "by": "created"}, "total_size_bytes": 1}),
        delete("a", unless={"unexpired": True}),
        delete("a", unless={"pulled_within_days": 1}),
        delete("a", unless={"pushed_within_days": 1}),
        delete("a"),
        keep("a", types=["chart"]),
    )
    push, pull = Fact.PUSH_TIME, Fact.PULL_TIME
    assert [facts for _, facts in read.facts()] == [
        {push, pull},
        {push},
        set(),
        {Fact.ANNOTATIONS, push, Fact.SIZE},
        {Fact.ANNOTATIONS},
        {push, pull},
        {push},
        set(),
        set(),
    ]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("x", "rules[0]: is not an object"),
        ({**harbor("always"), "action": "immutable"}, "rules[0].action: 'immutable' is not known"),
        ({**harbor("always"), "action": None}, "rules[0].action: is missing"),
        ({**harbor("always"), "id": -1}, "rules[0].id: -1 is not between"),
        ({**harbor("always"), "priority": "high"}, "rules[0].priority: 'high' is not a whole"),
        ({**harbor("always"), "disabled": "no"}, "rules[0].disabled: is neither"),
        (harbor("nothing"), "rules[0].template: 'nothing' is not known; it is one of latest"),
        ({**harbor("always"), "template": ["a"]}, "rules[0].template: \"['a']\" is not known"),
        (harbor("latestPushedK"), "rules[0].params.latestPushedK: is missing"),
        (harbor("latestPushedK", -1), "rules[0].params.latestPushedK: -1 is not between 0 and"),
        (harbor("latestPushedK", 32767), "latestPushedK: 32767 is not between 0 and 32766"),
        (harbor("latestPushedK", 1.5), "latestPushedK: '1.5' is not a whole number"),
        (harbor("latestPushedK", "3"), "latestPushedK: '3' is not a whole number"),
        (harbor("latestPushedK", value=True), "latestPushedK: 'True' is not a whole number"),
        (harbor("latestPushedK", float("nan")), "latestPushedK: 'nan' is not a whole number"),
        (harbor("latestPushedK", float("inf")), "latestPushedK: 'inf' is not a whole number"),
        (harbor("nDaysSinceLastPull", 20190905), "20190905 is not between 0 and 20190904"),
        ({**harbor("latestPushedK", 1), "params": [1]}, "rules[0].params: is not an object"),
        ({**harbor("always"), "tag_selectors": []}, "rules[0].tag_selectors: is missing"),
        ({**harbor("always"), "tag_selectors": ["v*"]}, "tag_selectors[0]: is not an object"),
        (harbor("always", None, *[selector("a")] * 101), "has 101 selectors; 100 are allowed"),
        (harbor("always", None, selector("[")), "tag_selectors[0].pattern: pattern '[', char"),
        ({**harbor("always"), "scope_selectors": None}, "rules[0].scope_selectors: is missing"),
        ({**harbor("always"), "scope_selectors": {}}, "scope_selectors.repository: is missing"),
        (
            {**harbor("always"), "scope_selectors": {"namespace": []}},
            "scope_selectors.namespace: is not known",
        ),
    ],
)
def test_what_is_wrong_with_a_harbor_rule_is_said(said: object, wrong: str) -> None:
    assert any(wrong in one for one in problems([said]))


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("x", "transship.rules[0]: is not an object"),
        ({"action": "retain"}, "[0].action: 'retain' is not known; it is keep or delete"),
        ({"action": ["keep"]}, "[0].action: \"['keep']\" is not known"),
        ({**delete("a"), "age": 3}, "transship.rules[0].age: is not known; known are action"),
        ({**delete("a"), "disabled": 1}, "[0].disabled: is neither true nor false"),
        (delete("["), "transship.rules[0].tags[0].pattern"),
        ({**delete(), "tags": None}, "transship.rules[0].tags: is missing"),
        ({**delete(), "tags": ["a"]}, "transship.rules[0].tags[0]: is not an object"),
        (
            {**delete(), "tags": [selector("a", extras='{"untagged":true}')]},
            "[0].tags[0].extras: the rule's own field `tag_state` says it",
        ),
        ({**delete(), "tags": [{**selector("a"), "match": 1}]}, "tags[0].match: is not known"),
        (delete("a", tag_state="none"), "[0].tag_state: 'none' is not known; it is tagged, unta"),
        (delete("a", tag_state="untagged"), "[0].tag_state: what has no tag is selected by none"),
        (delete("a", types=[]), "[0].types: is not a list of some of image, index"),
        (delete("a", types="image"), "[0].types: is not a list"),
        (delete("a", types=["vm"]), "[0].types: is not a list of some"),
        (delete("a", when={}), "[0].when: a delete rule says `unless`"),
        (keep("a", unless={}), "[0].unless: a keep rule says `when`"),
        (keep("a", override_immutable=True), "[0].override_immutable: a keep rule deletes nothing"),
        (delete("a", unless=[]), "[0].unless: is not an object"),
        (delete("a", unless={"age": 1}), "[0].unless.age: is not known"),
        (delete("a", unless={"pushed_within_days": -1}), "pushed_within_days: -1 is not between"),
        (delete("a", unless={"total_size_bytes": 2**63}), "total_size_bytes: 9223372036854775808"),
        (delete("a", unless={"unexpired": False}), "[0].unless.unexpired: is true, or is left out"),
        (delete("a", unless={"newest": 3}), "[0].unless.newest: is not an object"),
        (delete("a", unless={"newest": {"count": 0}}), "newest.count: 0 is not between 1 and"),
        (delete("a", unless={"newest": {}}), "newest.count: 'None' is not a whole number"),
        (delete("a", unless={"newest": {"count": 1, "by": "name"}}), "newest.by: 'name' is not"),
        (delete("a", unless={"newest": {"count": 1, "of": 1}}), "newest.of: is not known"),
        (
            delete("a", unless={"newest": {"count": 1, "group": "a*"}}),
            "newest.group: has no brackets; the first ones name the group",
        ),
        (
            delete("a", unless={"newest": {"count": 1, "group": "(a"}}),
            "newest.group: expression '(a', character 3: a bracket is never closed",
        ),
    ],
)
def test_what_is_wrong_with_an_own_rule_is_said(said: object, wrong: str) -> None:
    assert any(wrong in one for one in problems(None, [said]))


WORDS = st.sampled_from(
    ["keep", "delete", "retain", "always", "latestPushedK", "doublestar", "matches", "push", "(a)*"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=30)
@given(VALUES, VALUES, VALUES)
def test_whatever_is_said_is_read_or_refused_with_its_problems(
    harbor_rules: object, own: object, scope: object
) -> None:
    for one, other in ((harbor_rules, None), (None, own), ([harbor_rules], [own])):
        if list(problems(one, other, scope)):
            with pytest.raises(InvalidRules):
                RuleSet.parse(one, other, scope)
        else:
            read = RuleSet.parse(one, other, scope)
            assert RuleSet.parse(read.harbor, read.own, read.scope).own == read.own


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(InvalidRules) as caught:
        RuleSet.parse([harbor("x"), harbor("y")], [delete("a", age=1), {}], "layer")
    assert len(caught.value.problems) == 5
    assert "transship.scope: 'layer' is not digest or tag" in str(caught.value)


@pytest.mark.parametrize(
    ("harbor_rules", "own", "wrong"),
    [
        ({}, None, "rules: is not a list"),
        (None, "x", "transship.rules: is not a list"),
        ([harbor("always")] * 16, None, "rules: has 16 rules; at most 15 are allowed"),
        (None, [delete("a")] * 51, "transship.rules: has 51 rules; at most 50 are allowed"),
    ],
)
def test_lists_of_rules_have_limits(harbor_rules: object, own: object, wrong: str) -> None:
    assert list(problems(harbor_rules, own)) == [wrong]


def test_a_delete_rule_that_a_keep_rule_covers_is_refused() -> None:
    wrong = "transship.rules[0]: deletes nothing: transship rule 2 keeps everything that it selects"
    assert list(problems(None, [delete("a"), keep("a")])) == [wrong]
    assert list(problems(None, [delete("a", types=["image"]), keep()])) == [wrong]
    assert list(problems(None, [delete("a"), keep("a", disabled=True)])) == []
    assert list(problems(None, [delete("a"), keep("b")])) == []
    assert list(problems(None, [delete("a"), keep("a", types=["image"])])) == []
    assert list(problems(None, [delete("a", tag_state="any"), keep("a", tag_state="tagged")])) == []
    assert list(problems(None, [delete("a"), keep("a", when={"pushed_within_days": 1})])) == []


def test_a_budget_is_of_artifacts_not_of_tags() -> None:
    said = [delete("a", unless={"total_size_bytes": 1}), delete("a")]
    assert list(problems(None, said, "digest")) == []
    (wrong,) = problems(None, said, "tag")
    assert wrong.startswith("transship.rules[0]: total_size_bytes weighs artifacts")
