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


def test_annotations_are_asked_for() -> None:
    artifacts = [
        artifact(1, "v1", annotations={"stage": "dev", "team": "a"}),
        artifact(2, "v2", annotations={"stage": "prod"}),
        artifact(3, "v3"),
    ]
    assert staying(decided(artifacts, delete(annotations=["stage=dev"]))) == {2, 3}
    assert staying(decided(artifacts, delete(annotations=["stage", "!team"]))) == {1, 3}
    assert staying(decided(artifacts, delete(annotations=["stage!=prod"]))) == {2}


ON_TWO = ["linux/amd64", "linux/arm64/v8"]


def test_a_keep_rule_takes_what_is_for_a_platform_a_delete_rule_what_is_for_no_other() -> None:
    artifacts = [
        artifact(1, "both", platforms=ON_TWO),
        artifact(2, "arm", platforms=["linux/arm64/v8"]),
        artifact(3, "amd", platforms=["linux/amd64"]),
        artifact(4, "chart", platforms=[]),
    ]
    assert staying(decided(artifacts, delete(platforms=["linux/arm64"]))) == {1, 3, 4}
    assert staying(decided(artifacts, delete(platforms=["linux/*"]))) == {4}
    assert staying(decided(artifacts, delete(platforms=["linux/arm64/v8", "*/amd64"]))) == {4}
    assert staying(decided(artifacts, delete(platforms=["linux/arm64/v7"]))) == {1, 2, 3, 4}
    kept = keep(platforms=["linux/arm64"])
    assert staying(decided(artifacts, kept, delete(unless={"pulled_within_days": 0}))) >= {1, 2}
    everything = delete("**", types=["image"])
    assert staying(decided(artifacts, kept, everything)) == {1, 2}


def test_who_pushed_it_is_asked_for() -> None:
    artifacts = [
        artifact(1, "v1", pushed_by="robot$ci+build"),
        artifact(2, "v2", pushed_by="alice"),
        artifact(3, "v3", pushed_by=""),
    ]
    assert staying(decided(artifacts, delete(pushed_by=["robot$*"]))) == {2, 3}
    assert staying(decided(artifacts, delete(pushed_by=["bob", "alice"]))) == {1, 3}


def test_what_it_weighs_is_asked_for() -> None:
    artifacts = [artifact(n, f"v{n}")._replace(size_bytes=n * 10) for n in range(1, 5)]
    assert staying(decided(artifacts, delete(larger_than_bytes=20))) == {1, 2}
    assert staying(decided(artifacts, delete(smaller_than_bytes=20))) == {2, 3, 4}
    both = delete(larger_than_bytes=10, smaller_than_bytes=40)
    assert staying(decided(artifacts, both)) == {1, 4}


def test_all_that_a_rule_asks_for_has_to_hold() -> None:
    asked = delete("v*", annotations=["a"], pushed_by=["ci"], platforms=["linux/amd64"])
    fits: dict[str, Any] = {
        "annotations": {"a": ""},
        "pushed_by": "ci",
        "platforms": ["linux/amd64"],
    }
    artifacts = [
        artifact(1, "v1", **fits),
        artifact(2, "dev", **fits),
        artifact(3, "v3", **{**fits, "annotations": {}}),
        artifact(4, "v4", **{**fits, "pushed_by": "me"}),
        artifact(5, "v5", **{**fits, "platforms": ["linux/s390x"]}),
    ]
    assert staying(decided(artifacts, asked)) == {2, 3, 4, 5}


@pytest.mark.parametrize(
    ("rule", "fact"),
    [
        (delete(platforms=["linux/*"]), Fact.PLATFORM),
        (delete(pushed_by=["ci"]), Fact.PUSHER),
    ],
)
def test_a_rule_that_asks_for_what_nobody_looked_up_decides_nothing(
    rule: dict[str, Any], fact: Fact
) -> None:
    assert rules(rule).needed == {fact}
    with pytest.raises(UnknownFact, match=f"transship rule 1 asks for the {fact}"):
        decided([artifact(1, "v1")], rule)


def test_own_conditions_survive_reading_and_writing() -> None:
    said = {
        "annotations": ["a", "!b", "c=d*", "e!=f"],
        "platforms": ["linux/*"],
        "pushed_by": ["ci"],
        "larger_than_bytes": 1,
        "smaller_than_bytes": 9,
    }
    read = rules(delete("x", **said))
    assert {name: read.own[0][name] for name in said} == said
    assert RuleSet.parse(None, read.own) == read
    assert read.annotations == {"a", "b", "c", "e"}
    assert read.asks_configs
    assert read.needed == {Fact.ANNOTATIONS, Fact.PLATFORM, Fact.PUSHER, Fact.SIZE}
    bare = rules(delete("x", annotations=[], platforms=[], pushed_by=[]))
    assert not any(name in bare.own[0] for name in said)
    assert rules(delete("x", annotations=["a"], disabled=True)).annotations == set()
    assert not rules(delete("x", pushed_by=["ci"])).asks_configs


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"annotations": "a"}, "[0].annotations: is not a list of texts"),
        ({"annotations": [1]}, "[0].annotations: is not a list of texts"),
        ({"annotations": [""]}, "[0].annotations: is not a list of texts"),
        ({"annotations": ["a", "b c"]}, "[0].annotations[1]: 'b c' is not key, !key"),
        ({"annotations": ["a=["]}, "[0].annotations[0]: pattern '[', character 1"),
        ({"annotations": ["a"] * 21}, "[0].annotations: has 21 entries; 20 are allowed"),
        ({"platforms": ["linux/{"]}, "[0].platforms[0]: pattern 'linux/{'"),
        ({"pushed_by": {}}, "[0].pushed_by: is not a list of texts"),
        ({"larger_than_bytes": -1}, "[0].larger_than_bytes: -1 is not between 0"),
        ({"smaller_than_bytes": "1"}, "[0].smaller_than_bytes: '1' is not a whole number"),
        (
            {"larger_than_bytes": 5, "smaller_than_bytes": 6},
            "[0].smaller_than_bytes: nothing is larger than 5 and smaller than 6",
        ),
    ],
)
def test_what_is_wrong_with_what_a_rule_asks_is_said(said: dict[str, Any], wrong: str) -> None:
    (found,) = problems(None, [delete("x", **said)])
    assert wrong in found


@given(st.lists(st.sampled_from(ON_TWO), max_size=2), st.sampled_from(["linux/*", "linux/amd64"]))
def test_what_a_delete_rule_takes_by_platform_a_keep_rule_takes_too(
    platforms: list[str], pattern: str
) -> None:
    found = [artifact(1, "v1", platforms=platforms)]
    deleted = not staying(decided(found, delete(platforms=[pattern])))
    protected = delete("v1", types=["image"])
    kept = bool(staying(decided(found, keep(platforms=[pattern]), protected)))
    assert kept >= deleted
