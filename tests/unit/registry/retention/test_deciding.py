"""Our own rules, what belongs together, and the reasons."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import media_types
from registry.retention import ranking
from registry.retention.artifact import Artifact, Tag
from registry.retention.deciding import Decider, decide
from registry.retention.decision import Fate, RuleCount
from registry.retention.errors import TooManyGroups, UnknownFact
from tests.unit.registry.retention.examples import (
    NOW,
    ago,
    artifact,
    companion,
    decided,
    delete,
    digest,
    harbor,
    keep,
    reason,
    rules,
    selector,
    staying,
    tag,
)

DAILY = [artifact(n, f"v{n}", pushed=n) for n in range(1, 6)]


def newest(count: int, **said: str) -> dict[str, Any]:
    return {"newest": {"count": count, **said}}


def test_only_what_a_delete_rule_means_is_deleted() -> None:
    artifacts = [artifact(1, "pr-1", pushed=9), artifact(2, "v1", pushed=9), artifact(3, pushed=9)]
    decision = decided(artifacts, delete("pr-*"))
    assert staying(decision) == {2, 3}
    assert reason(decision, 1) == "goes: transship rule 1 deletes it"
    assert reason(decision, 2) == "kept: no rule deletes it"


def test_untagged_artifacts_are_deleted_only_when_a_rule_says_so() -> None:
    artifacts = [artifact(1, pushed=9), artifact(2, pushed=1)]
    assert staying(decided(artifacts, delete("**"))) == {1, 2}
    artifacts += [artifact(3, "v1", pushed=9)]
    for state, stays in (("any", {2}), ("untagged", {2, 3}), ("tagged", {1, 2})):
        rule = delete(tag_state=state, unless={"pulled_within_days": 3})
        assert staying(decided(artifacts, rule)) == stays
    rule = delete(tag_state="untagged", unless=newest(1, by="semver"))
    assert staying(decided(artifacts, rule)) == {1, 2, 3}


def test_keeping_wins() -> None:
    decision = decided(DAILY, delete("**"), keep("v{1,2}"), keep("v2", when=newest(1)))
    assert staying(decision) == {1, 2}
    assert reason(decision, 2) == "kept by transship rule 2"


def test_keep_rules_keep_also_from_what_harbors_rules_leave() -> None:
    assert staying(decided(DAILY, harbor("latestPushedK", 1), keep("v5"))) == {1, 5}


def test_a_delete_rule_takes_away_nothing_that_a_harbor_rule_keeps() -> None:
    assert staying(decided(DAILY, harbor("latestPushedK", 2), delete("**"))) == {1, 2}


def test_one_criterion_that_holds_spares() -> None:
    unless = {**newest(1), "pushed_within_days": 3}
    artifacts = [artifact(n, f"v{n}", pushed=10 + n) for n in range(3)] + [artifact(9, "x")]
    artifacts += [artifact(7, "v7", pushed=3), artifact(8, "v8", pushed=2)]
    decision = decided(artifacts, delete("v*", unless=unless))
    assert staying(decision) == {7, 8, 9}
    assert reason(decision, 7) == "spared by transship rule 1: pushed 3 days ago, within 3 days"
    assert reason(decision, 8) == "spared by transship rule 1: 1st newest of 5"
    assert reason(decision, 1) == (
        "goes: transship rule 1 deletes it: not among the 1 newest;"
        " pushed 11 days ago, not within 3 days"
    )


def test_versions_are_compared_and_what_has_none_is_left_alone() -> None:
    artifacts = [artifact(n, name) for n, name in enumerate(("1.10", "1.9", "latest", "1.2-rc"))]
    decision = decided(artifacts, delete("**", unless=newest(1, by="semver")))
    assert staying(decision) == {0, 2}
    assert reason(decision, 0) == "spared by transship rule 1: 1st highest version of 3"
    assert reason(decision, 2) == "kept: no rule deletes it"
    assert reason(decision, 1).endswith("not among the 1 highest versions")


def test_an_artifact_is_ranked_by_the_highest_of_its_versions() -> None:
    artifacts = [artifact(1, "1.0", "3.0", "2.0"), artifact(2, "2.5")]
    assert staying(decided(artifacts, delete("**", unless=newest(1, by="semver")))) == {1}


def test_in_a_charts_tag_an_underscore_is_a_plus() -> None:
    chart: dict[str, Any] = {"config_media_type": media_types.HELM_CONFIG}
    artifacts = [artifact(1, "1.0.0_b2", **chart), artifact(2, "2.0.0_b1", **chart)]
    images = [artifact(3, "3.0.0_x"), artifact(4, "0.1.0")]
    rule = delete("**", unless=newest(1, by="semver"))
    assert staying(decided(artifacts, rule)) == {2}
    assert staying(decided(images, rule)) == {3, 4}


def test_each_group_has_its_newest() -> None:
    names = ["main-1", "main-2", "dev-1", "dev-2", "dev-3", "loose"]
    artifacts = [artifact(n, name, pushed=9 - n) for n, name in enumerate(names)]
    decision = decided(artifacts, delete("**", unless=newest(1, group="([a-z]+)-[0-9]+")))
    assert staying(decision) == {1, 4, 5}
    assert reason(decision, 4) == "spared by transship rule 1: 1st newest of 3 in group dev"
    assert reason(decision, 5) == "kept: no rule deletes it"
    assert reason(decision, 0).endswith("not among the 1 newest of its group")


def test_an_artifact_in_two_groups_takes_part_in_both() -> None:
    artifacts = [artifact(1, "main-1", "dev-1", pushed=2), artifact(2, "main-2", pushed=1)]
    rule = delete("**", unless=newest(1, group="([a-z]+)-[0-9]+|x()"))
    assert staying(decided(artifacts, rule)) == {1, 2}


def test_a_group_that_took_no_part_is_none() -> None:
    rule = delete("**", unless=newest(1, group="([a-z]+)-[0-9]+|x"))
    assert staying(decided([artifact(1, "x"), artifact(2, "x")], rule)) == {1, 2}


def test_versions_are_compared_within_their_group() -> None:
    names = ["1.0-a", "2.0-a", "1.0-b"]
    artifacts = [artifact(n, name) for n, name in enumerate(names)]
    rule = delete("**", unless=newest(1, by="semver", group="[0-9.]+-(.*)"))
    assert staying(decided(artifacts, rule)) == {1, 2}


def test_the_creation_annotation_counts_where_it_is() -> None:
    created = "org.opencontainers.image.created"
    artifacts = [
        artifact(1, "a", annotations={created: "2026-01-01T00:00:00Z"}),
        artifact(2, "b", annotations={created: "2026-02-01T00:00:00Z"}, pushed=9),
        artifact(3, "c", annotations={created: "yesterday"}),
        artifact(4, "d"),
    ]
    decision = decided(artifacts, delete("**", unless=newest(1, by="created")))
    assert staying(decision) == {2, 3, 4}
    assert reason(decision, 2) == "spared by transship rule 1: 1st latest created of 2"


def test_the_newest_that_fit_into_a_budget_stay() -> None:
    weights = {1: 5, 2: 4, 3: 20, 4: 1}
    artifacts = [
        Artifact(
            id=n, digest=digest(n), pushed_at=ago(n), tags=[tag("t", pushed=n)], size_bytes=weight
        )
        for n, weight in weights.items()
    ]
    rule = delete("**", unless={"total_size_bytes": 10})
    for order in (artifacts, artifacts[::-1]):
        decision = decided(order, rule)
        assert staying(decision) == {1, 2}
        assert decision.deleted_bytes == 21
        assert reason(decision, 2) == (
            "spared by transship rule 1: 2nd newest of 4, within 10 bytes together"
        )
        assert reason(decision, 3).endswith("newest that are within 10 bytes together")


def test_what_says_that_it_has_expired_goes() -> None:
    artifacts = [
        artifact(1, "a", pushed=3, annotations={"quay.expires-after": "2d"}),
        artifact(2, "b", pushed=3, annotations={"quay.expires-after": "2w"}),
        artifact(3, "c", pushed=99),
    ]
    decision = decided(artifacts, delete("**", unless={"unexpired": True}))
    assert staying(decision) == {2, 3}
    assert reason(decision, 1) == "goes: transship rule 1 deletes it: it has expired"
    assert reason(decision, 2) == "spared by transship rule 1: it has not expired"


def test_rules_may_mean_some_types_only() -> None:
    chart = artifact(1, "1.0", config_media_type=media_types.HELM_CONFIG)
    assert staying(decided([chart, artifact(2, "1.0")], delete("**", types=["chart"]))) == {2}
    rule = delete("**", types=["image"], unless=newest(1, by="semver"))
    assert staying(decided([chart, artifact(2, "1.0"), artifact(3, "2.0")], rule)) == {1, 3}


def test_what_is_immutable_goes_only_if_the_rule_overrides_it() -> None:
    artifacts = [artifact(1, tag("v1", immutable="rule 4")), artifact(2, "v2")]
    decision = decided(artifacts, delete("**"), delete("v2", override_immutable=True))
    assert staying(decision) == {1}
    assert reason(decision, 1) == "kept: immutable tag v1 (rule 4)"
    decision = decided(artifacts, delete("**"), delete("v1", override_immutable=True))
    assert staying(decision) == set()
    assert [one.overrides_immutable for one in decision.outcomes()] == [True, False]
    assert reason(decided(artifacts, harbor("latestPushedK", 0)), 1).startswith("kept: immutable")
    assert reason(decided(artifacts, delete("v2")), 1) == "kept: no rule deletes it"


def test_what_is_held_stays() -> None:
    artifacts = [
        artifact(1, "v1", held="pinned by replication"),
        artifact(2, parents=[1], held="held"),
        artifact(3, parents=[4], held="held"),
        artifact(4, "gone"),
    ]
    decision = decided(artifacts, harbor("latestPushedK", 0))
    assert staying(decision) == {1, 2, 3}
    assert reason(decision, 1) == "kept: pinned by replication"
    assert reason(decision, 3) == "kept: held"
    assert reason(decided(artifacts, delete("**"), scope="tag"), 1) == "kept: pinned by replication"


def test_what_belongs_to_what_stays_is_never_broken() -> None:
    """An image with a signature, which has one itself; an index in an index; a fallback index."""
    artifacts = [
        artifact(1, parents=[2]),
        artifact(2, parents=[3]),
        artifact(3, "v1"),
        artifact(4, subject=digest(1)),
        artifact(5, companion(4, ".sig")),
        artifact(6, parents=[7]),
        artifact(7, companion(3)),
        artifact(8, "sbom-of-3", subject=digest(3), pushed=99),
        artifact(9, subject=digest(1000)),
        artifact(10, companion(1001, ".att")),
        artifact(11, parents=[1002]),
    ]
    decision = decided(artifacts, keep("v1"), delete("**"))
    assert staying(decision) == set(range(1, 12))
    assert reason(decision, 1) == f"kept: child of {digest(2)}"
    assert reason(decision, 5) == f"kept: belongs to {digest(4)}"
    assert reason(decision, 8) == f"kept: belongs to {digest(3)}"
    assert reason(decision, 9) == reason(decision, 11) == "kept: what it belongs to is not here"
    decision = decided(artifacts, delete("v1"))
    assert staying(decision) == {8, 9, 10, 11}
    assert reason(decision, 5) == f"goes with {digest(4)}"
    assert [one.id for one in decision.going()] == [3]


def test_an_sbom_of_two_images_stays_with_either() -> None:
    artifacts = [
        artifact(1, "v1"),
        artifact(2, "v2"),
        artifact(3, companion(1, ".sbom"), companion(2, ".sbom")),
    ]
    for name in ("v1", "v2"):
        assert 3 in staying(decided(artifacts, delete(name)))
    assert staying(decided(artifacts, delete("**"))) == set()


def test_a_sha512_in_a_tag_is_known_by_its_half() -> None:
    image = Artifact(id=1, digest="sha512:" + "ab" * 64, pushed_at=NOW, tags=[tag("v1"), tag("v0")])
    signature = artifact(2, "sha512-" + "ab" * 32 + ".sig")
    assert staying(decided([image, signature], delete("v*"))) == set()
    assert staying(decided([image, signature], delete("x"))) == {1, 2}


def test_what_refers_to_itself_stays() -> None:
    assert staying(decided([artifact(1, companion(1))], harbor("latestPushedK", 0))) == {1}


def test_indexes_go_before_their_children() -> None:
    artifacts = [artifact(1, "amd64", parents=[2]), artifact(2, "multi"), artifact(3, "x")]
    decision = decided(artifacts, harbor("latestPushedK", 0))
    assert [one.id for one in decision.going()] == [3, 2, 1]


def test_by_tag_only_the_tags_go_that_rules_mean() -> None:
    artifacts = [artifact(1, "latest", "pr-1", "pr-2"), artifact(2, "pr-3"), artifact(3)]
    decision = decided(artifacts, delete("pr-*"), scope="tag")
    assert [(one.tags, one.fate) for one in decision.outcomes()] == [
        (("latest",), Fate.KEPT),
        (("pr-1",), Fate.UNTAGGED),
        (("pr-2",), Fate.UNTAGGED),
        (("pr-3",), Fate.DELETED),
        ((), Fate.KEPT),
    ]
    assert [one.tags for one in decision.going()] == [("pr-3",), ("pr-1",), ("pr-2",)]
    assert (decision.tags, decision.deleted_tags) == (4, 3)
    assert (decision.total, decision.deleted, decision.deleted_bytes) == (3, 1, 10)


def test_by_tag_each_tag_has_its_own_times() -> None:
    tags = [tag("a", pushed=9), tag("b", pushed=1), tag("c", pushed=9, pulled=2)]
    decision = decided([artifact(1, *tags, pushed=9)], harbor("nDaysSinceLastPull", 3), scope="tag")
    assert reason(decision, 1, "a") == "goes: no rule keeps it"
    assert reason(decision, 1, "b") == "kept by rule 1: used 1 day ago, within 3 days"
    used = artifact(1, *tags, pushed=9, used_at=ago(1))
    assert decided([used], harbor("nDaysSinceLastPull", 3), scope="tag").deleted_tags == 0


def test_by_tag_untagged_artifacts_go_whole_and_immutable_tags_stay() -> None:
    artifacts = [artifact(1), artifact(2, tag("v1", immutable="rule 1"), "v2")]
    decision = decided(artifacts, harbor("always", None, selector("x", "excludes")), scope="tag")
    assert decision.deleted == 0
    decision = decided(artifacts, delete("**", tag_state="any"), scope="tag")
    assert [(one.tags, one.fate) for one in decision.outcomes()] == [
        ((), Fate.DELETED),
        (("v1",), Fate.KEPT),
        (("v2",), Fate.UNTAGGED),
    ]


def test_by_tag_a_child_of_what_stays_loses_its_tag_only() -> None:
    artifacts = [artifact(1, "amd64", parents=[2]), artifact(2, "multi")]
    decision = decided(artifacts, delete("amd64"), scope="tag")
    assert [one.fate for one in decision.outcomes()] == [Fate.UNTAGGED, Fate.KEPT]


def test_an_artifact_may_come_in_pieces() -> None:
    whole = artifact(1, "a", companion(2), tag("b", pushed=1, immutable="rule 1"), "c", pushed=5)
    pieces = [artifact(1, *whole.tags[at : at + 1], pushed=5) for at in range(len(whole.tags))]
    for scope in ("digest", "tag"):
        ruled = rules(harbor("latestPushedK", 0), delete("**"), keep("zz"), scope=scope)
        decider = Decider(ruled, now=NOW)
        for piece in pieces:
            decider.take([piece])
        at_once, in_pieces = decide([whole], ruled, now=NOW), decider.decide()
        assert list(at_once.outcomes()) == list(in_pieces.outcomes())
        assert at_once == in_pieces


def test_what_a_rule_selected_and_decided_is_counted() -> None:
    decision = decided(
        DAILY, harbor("always", None, selector("v1")), keep("x"), delete("v{1,2}"), keep("v1")
    )
    assert decision.rules == (
        RuleCount(rule="rule 1", selected=1, decided=1),
        RuleCount(rule="transship rule 1", selected=0, decided=0),
        RuleCount(rule="transship rule 2", selected=2, decided=1),
        RuleCount(rule="transship rule 3", selected=1, decided=0),
    )
    assert not decision.selects_nothing


def test_rules_that_select_nothing_are_told() -> None:
    decision = decided(DAILY, harbor("always", None, selector("typo-*")))
    assert decision.selects_nothing
    assert decision.takes_last_tag
    assert reason(decision, 1) == (
        "goes: no rule keeps it, for none selects anything in this repository"
    )
    typo = harbor("always", None, selector("typo-*"))
    assert decided(DAILY, typo, delete("v1")).selects_nothing
    assert not decided(DAILY, typo, keep("v1")).selects_nothing
    assert not decided([], harbor("always")).selects_nothing
    assert not decided(DAILY, delete("typo-*")).selects_nothing


def test_the_last_tag_is_what_a_repository_has_none_after() -> None:
    assert not decided(DAILY, harbor("latestPushedK", 1)).takes_last_tag
    assert not decided([artifact(1)], delete(tag_state="any")).takes_last_tag
    assert decided([artifact(1, "a"), artifact(2)], delete("**")).takes_last_tag


def test_without_rules_everything_stays() -> None:
    assert staying(decided(DAILY)) == {1, 2, 3, 4, 5}


def test_a_rule_that_needs_an_unknown_time_is_refused() -> None:
    unknown = Artifact(id=1, digest=digest(1), pushed_at=None, used_at=ago(1), tags=[tag("a")])
    untold = Artifact(
        id=1, digest=digest(1), pushed_at=ago(1), tags=[tag("a"), tag("b")], pulled_at=ago(1)
    )
    assert staying(decided([unknown], delete("b"))) == {1}
    half = Artifact(
        id=1, digest=digest(1), pushed_at=ago(1), tags=[Tag(name="a", pushed_at=None), tag("b")]
    )
    assert staying(decided([untold], harbor("latestPushedK", 1))) == {1}
    with pytest.raises(UnknownFact):
        decided([half], harbor("latestPushedK", 1))
    for template in ("latestPushedK", "latestPulledN", "nDaysSinceLastPush", "nDaysSinceLastPull"):
        with pytest.raises(UnknownFact, match="rule 1 asks when"):
            decided([unknown], harbor(template, 1))
    assert staying(decided([unknown], harbor("nDaysSinceLastPush", 1, selector("x")))) == set()


def test_more_groups_than_are_worth_it_are_refused() -> None:
    artifacts = (artifact(n, f"b{n}") for n in range(ranking.GROUPS_LIMIT + 1))
    with pytest.raises(TooManyGroups, match="transship rule 1: more than 10000 groups"):
        decided(artifacts, delete("**", unless=newest(1, group="(.*)")))


@pytest.mark.parametrize(
    ("place", "words"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (21, "21st")]
)
def test_places_are_counted_in_words(place: int, words: str) -> None:
    artifacts = [artifact(n, f"v{n}", pushed=n) for n in range(1, 31)]
    decision = decided(artifacts, harbor("latestPushedK", 30))
    assert reason(decision, place) == f"kept by rule 1: {words} newest of 30"


@pytest.mark.parametrize(
    ("days", "words"),
    [(0, "0 seconds"), (1 / 86_400, "1 second"), (2 / 24, "2 hours"), (-1, "0 seconds")],
)
def test_ages_are_told_in_the_largest_unit(days: float, words: str) -> None:
    decision = decided([artifact(1, "a", pushed=days)], harbor("nDaysSinceLastPush", 1))
    assert reason(decision, 1) == f"kept by rule 1: pushed {words} ago, within 1 day"
