"""A delete rule means artifacts with all their tags."""

from __future__ import annotations

from registry.retention.decision import Fate
from tests.unit.registry.retention.examples import artifact, decided, delete, reason, staying


def test_a_tag_that_a_delete_rule_does_not_mean_spares_the_artifact() -> None:
    image = artifact(1, "pr-1", "v1", pushed=9)
    assert staying(decided([image], delete("pr-*"))) == {1}
    assert reason(decided([image], delete("pr-*")), 1) == "kept: no rule deletes it"
    assert staying(decided([image], delete("pr-*"), delete("v*"))) == {1}
    assert staying(decided([image], delete("{pr-*,v*}"))) == set()
    assert staying(decided([image], delete("pr-*", "*-1"), delete("v1"))) == {1}
    by_tag = decided([image], delete("pr-*"), scope="tag")
    assert {one.tags: one.fate for one in by_tag.outcomes()} == {
        ("pr-1",): Fate.UNTAGGED,
        ("v1",): Fate.KEPT,
    }


def test_the_names_of_what_is_spared_count_for_nobody_else() -> None:
    artifacts = [artifact(1, "9.0-x", "keep"), artifact(2, "1.0-x"), artifact(3, "2.0-x")]
    rule = delete("*-x", unless={"newest": {"count": 1, "by": "semver"}})
    assert staying(decided(artifacts, rule)) == {1, 3}
