from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.content import ListedArtifact
from protocol.digest import Digest
from replication import plan
from replication.filters import Selection
from replication.plan import Counts, PlanFailure, Route, Skip, SkipReason, SkipTally, Wanted
from replication.policy import Decoration, Filter, FilterKind

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
ALL = Selection.of(())
SIGNATURE = f"sha256-{ONE.encoded}.sig"
digests = st.sampled_from([ONE, TWO, Digest.of(b"3")])
references = st.dictionaries(st.sampled_from("abcdefgh"), digests)


def listed(*tags: str, digest: Digest | None = None) -> ListedArtifact:
    return ListedArtifact(repository="r", tags=tags, digest=digest)


def route(standing: dict[str, Digest] | None = None) -> Route:
    return Route(source="r", destination="d", standing=standing or {}, fresh=not standing)


def test_tags_are_taken_once_in_the_order_of_the_listing() -> None:
    choice = plan.choose([listed("b", "a"), listed("b")], ALL, accompany=True)
    assert [one.reference for one in choice.wanted] == ["b", "a"]
    assert choice.skips == ()


def test_an_untagged_artifact_goes_by_its_digest() -> None:
    choice = plan.choose([listed(digest=ONE), listed()], ALL, accompany=True)
    assert choice.wanted == (Wanted(tag=None, digest=ONE),)
    assert choice.wanted[0].reference == str(ONE)


def test_what_the_filters_leave_out_is_listed_with_its_reason() -> None:
    tags = Filter(kind=FilterKind.TAG, pattern="v*", decoration=Decoration.MATCHES)
    choice = plan.choose([listed("v1", "x")], Selection.of((tags,)), accompany=True)
    assert [one.tag for one in choice.wanted] == ["v1"]
    assert choice.skips == (Skip(reason=SkipReason.TAG_FILTERED, repository="r", reference="x"),)


def test_companion_tags_travel_with_their_subject() -> None:
    fallback = f"sha256-{ONE.encoded}"
    choice = plan.choose([listed("v1", SIGNATURE, fallback)], ALL, accompany=True)
    assert [one.tag for one in choice.wanted] == ["v1"]
    assert {skip.reason for skip in choice.skips} == {SkipReason.ACCOMPANIES}


def test_companion_tags_are_tags_when_referrers_stay_behind() -> None:
    choice = plan.choose([listed(SIGNATURE)], ALL, accompany=False)
    assert [one.tag for one in choice.wanted] == [SIGNATURE]


def test_tags_of_one_artifact_are_one_transfer() -> None:
    wanted = [Wanted(tag="a", digest=ONE), Wanted(tag="b", digest=TWO), Wanted(tag="c", digest=ONE)]
    found = plan.transfers(plan.compare(wanted, route(), override=True), route())
    assert [(one.digest, one.tags, one.fresh) for one in found] == [
        (ONE, ("a", "c"), True),
        (TWO, ("b",), True),
    ]


def test_an_untagged_artifact_is_a_transfer_without_tags() -> None:
    wanted = [Wanted(tag=None, digest=ONE)]
    found = plan.transfers(plan.compare(wanted, route(), override=True), route())
    assert [(one.digest, one.tags) for one in found] == [(ONE, ())]


def test_what_is_not_resolved_is_no_transfer() -> None:
    comparison = plan.compare([Wanted(tag="a")], route(), override=True)
    assert plan.transfers(comparison, route()) == ()


def test_what_is_equal_is_skipped_and_what_differs_is_replaced() -> None:
    there = route({"a": ONE, "b": ONE})
    wanted = [Wanted(tag="a", digest=ONE), Wanted(tag="b", digest=TWO)]
    comparison = plan.compare(wanted, there, override=True)
    assert [one.tags for one in plan.transfers(comparison, there)] == [("b",)]
    assert [(skip.reason, skip.reference) for skip in plan.skips(comparison, there)] == [
        (SkipReason.UP_TO_DATE, "a")
    ]
    assert comparison.settled == {ONE}


def test_without_override_a_tag_with_other_content_stays() -> None:
    there = route({"b": ONE})
    comparison = plan.compare([Wanted(tag="b", digest=TWO)], there, override=False)
    assert plan.transfers(comparison, there) == ()
    assert [skip.reason for skip in plan.skips(comparison, there)] == [SkipReason.EXISTS]


def test_an_artifact_that_misses_referrers_is_a_transfer() -> None:
    there = route({"a": ONE})
    comparison = plan.compare([Wanted(tag="a", digest=ONE)], there, override=True)
    assert [one.tags for one in plan.transfers(comparison, there, lagging={ONE})] == [("a",)]
    assert plan.skips(comparison, there, lagging={ONE}) == ()


def test_an_artifact_that_moves_anyway_is_not_settled() -> None:
    there = route({"a": ONE})
    wanted = [Wanted(tag="a", digest=ONE), Wanted(tag="new", digest=ONE)]
    assert plan.compare(wanted, there, override=True).settled == frozenset()


@given(source=references, standing=references, override=st.booleans())
def test_a_plan_carried_out_leaves_nothing_to_do(
    source: dict[str, Digest], standing: dict[str, Digest], *, override: bool
) -> None:
    wanted = [Wanted(tag=tag, digest=digest) for tag, digest in source.items()]
    first = plan.transfers(plan.compare(wanted, route(standing), override=override), route())
    after = standing | {tag: one.digest for one in first for tag in one.tags}
    assert plan.transfers(plan.compare(wanted, route(after), override=override), route()) == ()
    if not override:
        assert standing.items() <= after.items()


def test_counts_add_up_and_read_well() -> None:
    both = Counts(repositories_listed=400) + Counts(repositories_listed=12, artifacts_listed=3)
    assert str(both) == "0 of 412 repositories and 0 of 3 tags matched"


def test_skips_and_failures_read_well() -> None:
    def skip(reference: str) -> str:
        return str(Skip(reason=SkipReason.GONE, repository="r", reference=reference))

    assert [skip(""), skip("v1"), skip(str(ONE))] == ["r", "r:v1", f"r@{ONE}"]
    assert str(PlanFailure(repository="r", cause=ValueError("no"))) == "r: no"
    assert str(PlanFailure(repository="r", reference="t", cause=ValueError("no"))) == "r:t: no"


def test_a_tally_counts_all_and_shows_ten() -> None:
    tally = SkipTally()
    tally.add(Skip(reason=SkipReason.GONE, repository=f"r{number}") for number in range(12))
    assert tally.counts[SkipReason.GONE] == 12
    assert tally.examples[SkipReason.GONE] == [f"r{number}" for number in range(10)]
