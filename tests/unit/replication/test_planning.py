from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from typing_extensions import override

from adapters.base import Item, Page
from protocol.content import ListedArtifact
from protocol.digest import Digest
from protocol.errors import InvalidPattern, NotFound, RateLimited, Unauthorized, Unsupported
from replication.cursor import Cursor
from replication.errors import PlanningFailed, RepositoryTooShallow
from replication.plan import Counts, SkipReason
from replication.planning import PlannedPage, plan_pages
from replication.policy import Filter, FilterKind, ReplicationPolicy
from replication.run import run
from tests.fakes.registry.content import Repository
from tests.fakes.stores import MemoryAdapter, MemoryRegistry, refusal, unreachable


class Rig:
    def __init__(self, *, page_size: int = 100, catalog: bool = True) -> None:
        self.here, self.there = MemoryRegistry(), MemoryRegistry()
        self.source = MemoryAdapter(self.here, page_size=page_size, catalog=catalog)
        self.destination = MemoryAdapter(self.there)

    def fill(self, repositories: int, tags: int) -> None:
        for number in range(repositories):
            for tag in range(tags):
                name = f"team/app{number:02}"
                self.here.repository(name).put_image(f"v{tag}", layers=(f"{name} {tag}".encode(),))

    async def plan(
        self, policy: ReplicationPolicy | None = None, cursor: Cursor | None = None
    ) -> list[PlannedPage]:
        pages = plan_pages(
            self.source, self.destination, policy or ReplicationPolicy(), cursor=cursor
        )
        return [page async for page in pages]


def policy(*names: str, tags: tuple[str, ...] = (), **more: object) -> ReplicationPolicy:
    filters = [
        *(Filter(kind=FilterKind.NAME, pattern=name) for name in names),
        *(Filter(kind=FilterKind.TAG, pattern=tag) for tag in tags),
    ]
    return ReplicationPolicy.from_json(ReplicationPolicy(filters=tuple(filters)).to_json() | more)


def planned(pages: list[PlannedPage]) -> list[str]:
    return [
        f"{one.source_repository}:{tag}"
        for page in pages
        for one in page.transfers
        for tag in one.tags or (str(one.digest),)
    ]


def reasons(pages: list[PlannedPage]) -> list[SkipReason]:
    return [skip.reason for page in pages for skip in page.skips]


async def test_every_tag_of_every_repository_is_planned_once() -> None:
    rig = Rig(page_size=3)
    rig.fill(repositories=7, tags=4)
    pages = await rig.plan()
    assert len(planned(pages)) == len(set(planned(pages))) == 28
    assert [page.cursor is None for page in pages] == [False] * (len(pages) - 1) + [True]
    total = sum((page.counts for page in pages), Counts())
    assert str(total) == "7 of 7 repositories and 28 of 28 tags matched"


async def test_a_plan_goes_on_from_any_of_its_cursors() -> None:
    rig = Rig(page_size=3)
    rig.fill(repositories=7, tags=7)
    pages = await rig.plan()
    for stored, page in enumerate(pages[:-1], start=1):
        assert page.cursor is not None
        cursor = Cursor.from_json(json.loads(json.dumps(page.cursor.to_json())))
        rest = await rig.plan(cursor=cursor)
        assert planned(pages[:stored]) + planned(rest) == planned(pages)
        assert sum((p.counts for p in pages[:stored] + rest), Counts()) == sum(
            (p.counts for p in pages), Counts()
        )


async def test_a_filter_that_matches_nothing_is_visible() -> None:
    rig = Rig()
    rig.fill(repositories=12, tags=1)
    pages = await rig.plan(policy("taem/*"))
    assert len(pages) == 1
    assert pages[0].cursor is None
    assert str(pages[0].counts) == "0 of 12 repositories and 0 of 0 tags matched"
    assert reasons(pages) == [SkipReason.REPOSITORY_FILTERED] * 12


async def test_names_spelled_out_need_no_catalog() -> None:
    rig = Rig(catalog=False)
    rig.fill(repositories=3, tags=2)
    pages = await rig.plan(policy("team/{app00,app02,gone}", tags=("v1",)))
    assert planned(pages) == ["team/app00:v1", "team/app02:v1"]
    assert rig.here.requests["catalog"] == 0
    failures = [failure for page in pages for failure in page.failures]
    assert [failure.repository for failure in failures] == ["team/gone"]
    assert isinstance(failures[0].cause, NotFound)


async def test_a_wildcard_without_a_catalog_says_what_to_do() -> None:
    with pytest.raises(PlanningFailed, match="without wildcards") as caught:
        await Rig(catalog=False).plan(policy("team/*"))
    assert isinstance(caught.value.cause, Unsupported)


async def test_an_unreachable_catalog_ends_the_plan() -> None:
    rig = Rig()
    rig.here.faults["catalog"] = [unreachable()]
    with pytest.raises(PlanningFailed, match="listing the repositories at the source"):
        await rig.plan()


async def test_a_bad_pattern_is_refused_before_anything_is_asked() -> None:
    rig = Rig()
    with pytest.raises(InvalidPattern):
        await rig.plan(policy("{a"))
    assert rig.here.requests.total() == 0


async def test_a_repository_that_cannot_be_listed_fails_alone() -> None:
    rig = Rig()
    rig.fill(repositories=3, tags=1)
    rig.here.faults["list"] = [refusal(Unauthorized, 401, "UNAUTHORIZED")]
    pages = await rig.plan()
    assert len(planned(pages)) == 2
    assert [str(f) for page in pages for f in page.failures] == ["team/app00: test: no (memory)"]


async def test_a_repository_too_shallow_fails_alone() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=1)
    rig.here.repository("deep/er/app").put_image("v1")
    pages = await rig.plan(policy(destination_namespace="n", flattening=2))
    assert [one.destination_repository for page in pages for one in page.transfers] == ["n/app"]
    failures = [failure for page in pages for failure in page.failures]
    assert isinstance(failures[0].cause, RepositoryTooShallow)


async def test_a_rate_limit_postpones_the_plan() -> None:
    rig = Rig()
    rig.fill(repositories=2, tags=1)
    for operation, match in (("list", "team/app"), ("resolve", "team/app")):
        rig.here.faults[operation] = [refusal(RateLimited, 429, "TOOMANYREQUESTS")]
        with pytest.raises(PlanningFailed, match=match):
            await rig.plan()


async def test_one_tag_that_cannot_be_looked_up_fails_alone() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=3)
    rig.here.faults["resolve"] = [unreachable()]
    pages = await rig.plan()
    assert len(planned(pages)) == 2
    assert [f.reference for page in pages for f in page.failures] == ["v0"]


async def test_a_tag_gone_since_the_listing_is_skipped_with_its_reason() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=1)
    rig.source.listing_of = lambda repository: [
        ListedArtifact(repository=repository.name, tags=("v0", "gone"))
    ]
    pages = await rig.plan()
    assert planned(pages) == ["team/app00:v0"]
    assert reasons(pages) == [SkipReason.GONE]


@pytest.mark.parametrize("tags", [3, 40])
async def test_a_run_with_nothing_to_do_costs_two_requests_a_tag(tags: int) -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=tags)
    without = policy(referrers=False)
    await run(rig.source, rig.destination, without)
    rig.here.requests.clear()
    rig.there.requests.clear()
    report = await run(rig.source, rig.destination, without)
    assert report.skips.counts[SkipReason.UP_TO_DATE] == tags
    listings = rig.here.requests["catalog"] + rig.here.requests["list"]
    listings += rig.there.requests["tags"]
    assert rig.here.requests.total() + rig.there.requests.total() == 2 * tags + listings
    assert listings <= 3


async def test_with_referrers_it_costs_a_third_request() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=10)
    await run(rig.source, rig.destination, ReplicationPolicy())
    rig.here.requests.clear()
    rig.there.requests.clear()
    await rig.plan()
    assert rig.here.requests.total() + rig.there.requests.total() <= 30 + 3


async def test_tags_absent_at_the_destination_are_not_asked_for_one_by_one() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=10)
    pages = await rig.plan()
    assert rig.there.requests["resolve"] == 0
    assert all(one.fresh for page in pages for one in page.transfers)


async def test_a_moved_tag_and_a_late_signature_are_the_whole_delta() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=6)
    await run(rig.source, rig.destination, ReplicationPolicy())
    held: Repository = rig.here.repository("team/app00")
    held.put_image("v1", layers=(b"moved",))
    signed = held.find("v2")
    assert signed is not None
    held.put_artifact(subject=signed.descriptor)
    cosigned = held.find("v3")
    assert cosigned is not None
    held.put_artifact(f"sha256-{cosigned.digest.encoded}.sig", payload=b"cosign")
    pages = await rig.plan()
    assert planned(pages) == ["team/app00:v1", "team/app00:v2", "team/app00:v3"]
    await run(rig.source, rig.destination, ReplicationPolicy())
    assert rig.there.repository("team/app00").manifests.keys() == held.manifests.keys() | {
        *rig.there.repository("team/app00").manifests
    }
    assert planned(await rig.plan()) == []


async def test_without_override_a_moved_tag_stays() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=1)
    await run(rig.source, rig.destination, ReplicationPolicy())
    rig.here.repository("team/app00").put_image("v0", layers=(b"moved",))
    pages = await rig.plan(policy(override=False))
    assert planned(pages) == []
    assert reasons(pages) == [SkipReason.EXISTS]


async def test_an_untagged_artifact_is_planned_by_its_digest() -> None:
    rig = Rig()
    image = rig.here.repository("a/b").put_image()
    rig.source.listing_of = lambda repository: [
        ListedArtifact(repository=repository.name, digest=image.digest)
    ]
    assert planned(await rig.plan()) == [f"a/b:{image.digest}"]
    assert planned(await rig.plan(policy(tags=("v*",)))) == []
    await run(rig.source, rig.destination, ReplicationPolicy())
    assert reasons(await rig.plan()) == [SkipReason.UP_TO_DATE]


async def test_companions_of_a_long_listing_are_listed_once() -> None:
    rig = Rig(page_size=2)
    rig.fill(repositories=1, tags=9)
    held = rig.here.repository("team/app00")
    image = held.find("v8")
    assert image is not None
    held.put_artifact(f"sha256-{image.digest.encoded}.sig")
    pages = await rig.plan()
    assert rig.here.requests["tags"] == 1
    assert all(one.companions for page in pages for one in page.transfers)


async def test_a_destination_that_lists_no_tags_is_asked_one_by_one() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=5)
    rig.there.faults["tags"] = [refusal(Unsupported, 405, "UNSUPPORTED")]
    assert len(planned(await rig.plan())) == 5
    assert rig.there.requests["resolve"] == 5


async def test_a_failing_referrers_listing_fails_that_artifact() -> None:
    rig = Rig()
    rig.fill(repositories=1, tags=1)
    await run(rig.source, rig.destination, ReplicationPolicy())
    rig.here.faults["referrers"] = [unreachable()]
    pages = await rig.plan()
    digest = Digest.parse(rig.here.repository("team/app00").tags["v0"])
    assert [f.reference for page in pages for f in page.failures] == [str(digest)]


class Circling(MemoryAdapter):
    """A source whose listings' last pages lead back to an earlier one."""

    @override
    def _cut(self, items: list[Item], cursor: str | None) -> Page[Item]:
        page = super()._cut(items, cursor)
        return page if page.cursor is not None else replace(page, cursor=str(self.page_size))


async def test_listings_that_lead_in_a_circle_end() -> None:
    rig = Rig()
    rig.fill(repositories=5, tags=5)
    rig.source = Circling(rig.here, page_size=2)
    async with asyncio.timeout(5):
        pages = await rig.plan()
    assert pages[-1].cursor is None
    assert len(set(planned(pages))) == 25


async def test_a_plan_that_is_limited_lists_nothing_and_looks_at_nothing_else() -> None:
    rig = Rig(catalog=False)
    rig.fill(2, tags=3)
    only = [
        ListedArtifact(repository="team/app01", tags=("v1",)),
        ListedArtifact(repository="team/app00", tags=("v0", "v2")),
    ]
    pages = plan_pages(rig.source, rig.destination, ReplicationPolicy(), only=only)
    found = [page async for page in pages]
    assert planned(found) == ["team/app00:v0", "team/app00:v2", "team/app01:v1"]
    assert rig.here.requests["list_artifacts"] == 0


async def test_the_filters_hold_for_a_limited_plan_and_what_is_gone_is_said() -> None:
    rig = Rig()
    rig.fill(1, tags=2)
    only = [ListedArtifact(repository="team/app00", tags=("v0", "v1", "v9"))]
    limited = policy("team/**", "team/app00", tags=("v[19]",))
    pages = [p async for p in plan_pages(rig.source, rig.destination, limited, only=only)]
    assert planned(pages) == ["team/app00:v1"]
    assert {(skip.reason, skip.reference) for page in pages for skip in page.skips} == {
        (SkipReason.TAG_FILTERED, "v0"),
        (SkipReason.GONE, "v9"),
    }


async def test_a_limited_plan_finds_the_signatures_that_nobody_named() -> None:
    rig = Rig()
    repository = rig.here.repository("team/app")
    image = repository.put_image("v1")
    repository.put_image(f"sha256-{image.digest.encoded}.sig", layers=(b"signature",))
    only = [ListedArtifact(repository="team/app", tags=("v1",))]
    (page,) = [
        page
        async for page in plan_pages(rig.source, rig.destination, ReplicationPolicy(), only=only)
        if page.transfers
    ]
    (transfer,) = page.transfers
    assert transfer.companions == (f"sha256-{image.digest.encoded}.sig",)
