"""What holds whatever the rules and the artifacts are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from registry.retention.artifact import Artifact
from registry.retention.decision import Fate
from tests.unit.registry.retention.examples import (
    NOW,
    artifact,
    companion,
    decided,
    delete,
    digest,
    harbor,
    keep,
    selector,
    staying,
    tag,
)

NAMES = st.sampled_from(["v1", "v2", "1.0", "1.1-rc", "dev-1", "dev-2", "main-1", "latest"])
PATTERNS = st.sampled_from(["**", "v*", "dev-*", "1.*", "none"])
SELECTORS = st.builds(selector, PATTERNS, st.sampled_from(["matches", "excludes"]))
DAYS = st.integers(0, 5)
TEMPLATES = st.sampled_from(
    ["always", "latestPushedK", "latestPulledN", "latestActiveK", "nDaysSinceLastPush", "lastXDays"]
)
HARBOR = st.builds(
    lambda template, value, one: harbor(template, None if template == "always" else value, one),
    TEMPLATES,
    DAYS,
    SELECTORS,
)
CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        "newest": st.fixed_dictionaries(
            {"count": st.integers(1, 3), "by": st.sampled_from(["push", "pull", "semver"])},
            optional={"group": st.just("([a-z]+)-.*")},
        ),
        "pushed_within_days": DAYS,
        "pulled_within_days": DAYS,
    },
)
KEEP = st.builds(lambda pattern, when: keep(pattern, when=when), PATTERNS, CONDITIONS)
DELETE = st.builds(
    lambda pattern, unless, state: delete(pattern, unless=unless, tag_state=state),
    PATTERNS,
    CONDITIONS.filter(bool),
    st.sampled_from(["tagged", "any"]),
)
SCOPES = st.sampled_from(["digest", "tag"])
FEW = settings(max_examples=40, deadline=None)


@st.composite
def repositories(draw: st.DrawFn) -> list[Artifact]:
    """Some artifacts; tags are on one each, children come before their indexes."""
    count = draw(st.integers(0, 8))
    names = draw(st.lists(NAMES, unique=True, max_size=8))
    owners = [draw(st.integers(1, max(count, 1))) for _ in names]
    found = []
    for number in range(1, count + 1):
        pushed = draw(DAYS)
        tags: list[Any] = [
            tag(name, pushed=draw(DAYS), pulled=draw(st.none() | DAYS))
            for name, owner in zip(names, owners, strict=True)
            if owner == number
        ]
        others = st.sets(st.integers(1, count), max_size=2)
        if draw(st.booleans()):
            tags += [companion(other, ".sig") for other in draw(others) if other != number]
        parents = [other for other in draw(others) if other > number]
        subject = draw(st.none() | st.integers(1, count + 1).filter(lambda one: one != number))  # noqa: B023 used at once
        found.append(
            artifact(
                number,
                *tags,
                pushed=pushed,
                parents=parents,
                subject=digest(subject) if subject else None,
                held=draw(st.sampled_from(["", "", "", "held"])),
            )
        )
    return found


# A delete rule that a keep rule covers is refused when rules are read; see test_rule_set.
FREE_RULES = st.one_of(st.lists(HARBOR | DELETE, max_size=4), st.lists(HARBOR | KEEP, max_size=4))


@FEW
@given(repositories(), FREE_RULES, HARBOR)
def test_one_more_retaining_rule_never_makes_less_stay(
    artifacts: list[Artifact], said: list[dict[str, Any]], more: dict[str, Any]
) -> None:
    """Where some rule of Harbor's form is in force already: the first makes the rest go."""
    before = staying(decided(artifacts, harbor("latestPushedK", 1), *said))
    assert before <= staying(decided(artifacts, harbor("latestPushedK", 1), *said, more))


@FEW
@given(repositories(), FREE_RULES, CONDITIONS, SCOPES)
def test_one_more_keep_rule_never_makes_less_stay(
    artifacts: list[Artifact], said: list[dict[str, Any]], when: dict[str, Any], scope: str
) -> None:
    more = keep("v*", when={**when, "pushed_within_days": 2})
    before = staying(decided(artifacts, *said, scope=scope))
    assert before <= staying(decided(artifacts, *said, more, scope=scope))


@FEW
@given(repositories(), st.data(), SCOPES)
def test_the_order_of_rules_changes_nothing_but_reasons(
    artifacts: list[Artifact], data: st.DataObject, scope: str
) -> None:
    said = data.draw(FREE_RULES)
    one = decided(artifacts, *said, scope=scope)
    other = decided(artifacts, *data.draw(st.permutations(said)), scope=scope)
    assert [(o.id, o.tags, o.fate) for o in one.outcomes()] == [
        (o.id, o.tags, o.fate) for o in other.outcomes()
    ]


@FEW
@given(repositories(), st.data())
def test_the_order_of_artifacts_changes_nothing(
    artifacts: list[Artifact], data: st.DataObject
) -> None:
    said = data.draw(FREE_RULES)
    shuffled = data.draw(st.permutations(artifacts))
    assert staying(decided(artifacts, *said)) == staying(decided(shuffled, *said))


@FEW
@given(repositories(), FREE_RULES, SCOPES)
def test_asked_again_it_is_the_same_decision(
    artifacts: list[Artifact], said: list[dict[str, Any]], scope: str
) -> None:
    """So what a dry run tells is what a run does."""
    one, other = (decided(artifacts, *said, scope=scope) for _ in range(2))
    assert one == other
    assert list(one.outcomes()) == list(one.outcomes()) == list(other.outcomes())
    assert list(one.going()) == list(other.going())


def left(artifacts: Sequence[Artifact], *said: dict[str, Any], scope: str) -> list[Artifact]:
    """What is there after a run, and after garbage collection took what follows."""
    kept: dict[int, set[str]] = {}
    for one in decided(artifacts, *said, scope=scope).outcomes():
        if one.fate is Fate.KEPT:
            kept.setdefault(one.id, set()).update(one.tags)
        elif one.fate is Fate.UNTAGGED:
            kept.setdefault(one.id, set())
    return [
        artifact(
            one.id,
            *(t for t in one.tags if t.name in kept[one.id] or t.name.startswith("sha256-")),
            pushed=(NOW - (one.pushed_at or NOW)).days,
            parents=[parent for parent in one.parents if parent in kept],
            subject=one.subject,
            held=one.held,
        )
        for one in artifacts
        if one.id in kept
    ]


@FEW
@given(repositories(), FREE_RULES, SCOPES)
def test_what_is_left_is_left_again(
    artifacts: list[Artifact], said: list[dict[str, Any]], scope: str
) -> None:
    remaining = left(artifacts, *said, scope=scope)
    assert list(decided(remaining, *said, scope=scope).going()) == []


@FEW
@given(repositories(), FREE_RULES, SCOPES)
def test_nothing_that_stays_is_broken(
    artifacts: list[Artifact], said: list[dict[str, Any]], scope: str
) -> None:
    stays = staying(decided(artifacts, *said, scope=scope))
    digests = {one.digest: one.id for one in artifacts}
    for one in artifacts:
        leaders = {*one.parents} | {digests.get(one.subject or "")}
        leaders |= {digests.get(t.name.partition(".")[0].replace("-", ":", 1)) for t in one.tags}
        if one.id not in stays:
            assert not leaders & stays
            assert not one.held


@FEW
@given(repositories(), FREE_RULES, SCOPES)
def test_everything_has_its_reason_and_the_sums_add_up(
    artifacts: list[Artifact], said: list[dict[str, Any]], scope: str
) -> None:
    decision = decided(artifacts, *said, scope=scope)
    outcomes = list(decision.outcomes())
    assert {one.id for one in outcomes} == {one.id for one in artifacts}
    for one in outcomes:
        starts = ("goes",) if one.fate is not Fate.KEPT else ("kept", "spared")
        assert one.reason.startswith(starts)
    gone = {one.id for one in outcomes if one.fate is Fate.DELETED}
    assert decision.deleted == len(gone)
    assert decision.deleted_bytes == 10 * len(gone)
    assert {one.id for one in decision.going()} == {
        one.id for one in outcomes if one.fate in {Fate.DELETED, Fate.UNTAGGED}
    }
