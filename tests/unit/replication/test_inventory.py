"""What another registry has is seen as the rules need it, with as few requests as they allow."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapters.base import AdapterInfo
from protocol import image_config, referrers
from protocol.content import ListedArtifact
from protocol.digest import Digest
from protocol.errors import NotFound
from protocol.platform import Platform
from registry.retention.artifact import Artifact
from registry.retention.errors import UnknownFact
from registry.retention.rule_set import RuleSet
from replication import inventory, retiring
from replication.inventory import Inventory
from tests.fakes.registry.content import Repository
from tests.fakes.stores import MemoryAdapter, MemoryRegistry
from tests.unit.registry.retention.examples import NOW, delete, keep, rules

CREATED = "org.opencontainers.image.created"


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def there(registry: MemoryRegistry) -> Repository:
    return registry.repository("team/app")


async def taken(registry: MemoryRegistry, **options: Any) -> Inventory:
    found = Inventory(MemoryAdapter(registry, **options), "team/app")
    await found.take()
    return found


async def going(registry: MemoryRegistry, asked: RuleSet) -> dict[str, str]:
    """Return what would go, by its tags."""
    found = Inventory(MemoryAdapter(registry), "team/app")
    decision = await retiring.decide(found, asked, now=NOW)
    return {",".join(one.tags): one.digest for one in decision.going()}


def of(artifacts: list[Artifact], *tags: str) -> Artifact:
    return next(one for one in artifacts if tuple(tag.name for tag in one.tags) == tags)


async def test_tags_of_one_digest_are_one_artifact(
    registry: MemoryRegistry, there: Repository
) -> None:
    image = there.put_image("v1")
    there.tags["latest"] = str(image.digest)
    there.put_image("v2", layers=(b"other",))
    artifacts = list((await taken(registry, page_size=1)).artifacts())
    assert of(artifacts, "latest", "v1").digest == str(image.digest)
    assert len(artifacts) == 2


async def test_an_index_is_read_and_comes_after_what_it_names(
    registry: MemoryRegistry, there: Repository
) -> None:
    child = there.put_image("amd64")
    untagged = there.put_image(layers=(b"other",))
    inner = there.put_index(children=[child.descriptor])
    there.put_index("v1", children=[inner.descriptor, untagged.descriptor])
    artifacts = list((await taken(registry)).artifacts())
    numbers = {one.digest: one.id for one in artifacts}
    assert of(artifacts, "amd64").parents == [numbers[str(inner.digest)]]
    assert numbers[str(child.digest)] < numbers[str(inner.digest)] < of(artifacts, "v1").id
    assert str(untagged.digest) not in numbers
    assert registry.requests["read manifest"] == 2


async def test_images_are_not_read_where_no_rule_asks_what_they_say(
    registry: MemoryRegistry, there: Repository
) -> None:
    for number in range(20):
        there.put_image(f"v1.{number}", layers=(b"%d" % number,))
    newest = keep("**", when={"newest": {"count": 18, "by": "semver"}})
    assert set(await going(registry, rules(newest, delete("**")))) == {"v1.0", "v1.1"}
    assert registry.requests["resolve"] == 20
    assert registry.requests["read manifest"] == 2


async def test_annotations_are_read_where_a_rule_asks_for_them(
    registry: MemoryRegistry, there: Repository
) -> None:
    for day in range(1, 5):
        there.put_image(f"b{day}", extra={"annotations": {CREATED: f"2026-11-0{day}T00:00:00Z"}})
    newest = keep("**", when={"newest": {"count": 2, "by": "created"}})
    assert set(await going(registry, rules(newest, delete("**")))) == {"b1", "b2"}


async def test_an_index_weighs_what_it_names_where_a_rule_asks_for_sizes(
    registry: MemoryRegistry, there: Repository
) -> None:
    images = [there.put_image(layers=(size * b"x",)) for size in (4000, 5000)]
    there.put_index("all", children=[image.descriptor for image in images])
    there.put_image("small", layers=(b"x",))
    small = delete("**", smaller_than_bytes=3000)
    assert set(await going(registry, rules(small))) == {"small"}
    large = delete("**", larger_than_bytes=9000)
    assert set(await going(registry, rules(large))) == {"all"}


async def test_an_index_of_which_not_everything_is_there_is_not_weighed_and_stays(
    registry: MemoryRegistry, there: Repository
) -> None:
    image = there.put_image(layers=(b"x",))
    there.put_index("all", children=[image.descriptor])
    del there.manifests[str(image.digest)]
    found = Inventory(MemoryAdapter(registry), "team/app")
    asked = rules(delete("**", smaller_than_bytes=3000))
    (one,) = (await retiring.decide(found, asked, now=NOW)).outcomes()
    assert one.reason == f"kept: {image.digest}, which it names: its manifest is not there"


async def test_what_refers_to_something_that_stays_stays(
    registry: MemoryRegistry, there: Repository
) -> None:
    image = there.put_image("v1")
    there.put_image("sbom", layers=(b"sbom",), subject=image.descriptor)
    cosign = f"{referrers.fallback_tag(image.digest)}.sig"
    there.put_image(cosign, layers=(b"signature",))
    there.put_image("old", layers=(b"old",))
    assert set(await going(registry, rules(keep("v*"), delete("**")))) == {"old"}


async def test_what_is_part_of_an_index_that_stays_stays(
    registry: MemoryRegistry, there: Repository
) -> None:
    child = there.put_image("v1-amd64")
    there.put_index("v1", children=[child.descriptor])
    assert await going(registry, rules(keep("v1"), delete("**"))) == {}


async def test_what_cannot_be_read_is_left_alone(
    registry: MemoryRegistry, there: Repository
) -> None:
    there.put_manifest(b"{", "application/vnd.oci.image.manifest.v1+json", tag="broken")
    there.put_image("old")
    assert set(await going(registry, rules(delete("**")))) == {"old"}


async def test_a_tag_that_goes_while_it_is_listed_is_left_out(
    registry: MemoryRegistry, there: Repository
) -> None:
    there.put_image("v1")
    adapter = MemoryAdapter(registry)
    adapter.listing_of = lambda _: [
        ListedArtifact(repository="team/app", tags=("gone",)),
        ListedArtifact(repository="team/app", tags=("v1",)),
    ]
    found = Inventory(adapter, "team/app")
    await found.take()
    assert set(found.tags) == {"v1"}


async def test_a_repository_that_is_not_there_is_said_to_be_not_there(
    registry: MemoryRegistry,
) -> None:
    with pytest.raises(NotFound):
        await taken(registry)


async def test_a_digest_of_the_listing_is_asked_for_once(
    registry: MemoryRegistry, there: Repository
) -> None:
    image = there.put_image("v1")
    there.tags |= {f"t{number}": str(image.digest) for number in range(5)}
    adapter = MemoryAdapter(registry)
    adapter.listing_of = lambda held: [
        ListedArtifact(repository=held.name, tags=tuple(sorted(held.tags)), digest=image.digest)
    ]
    found = Inventory(adapter, "team/app")
    await found.take()
    assert found.sharing(image.digest) == set(there.tags)
    assert registry.requests["resolve"] <= 6


async def test_times_that_a_registry_tells_are_believed(
    registry: MemoryRegistry, there: Repository
) -> None:
    for days in (1, 9):
        there.put_image(f"d{days}", layers=(b"%d" % days,))
    adapter = MemoryAdapter(registry)
    adapter.listing_of = lambda held: [
        ListedArtifact(
            repository=held.name, tags=(tag,), pushed_at=NOW - timedelta(days=int(tag[1:]))
        )
        for tag in sorted(held.tags)
    ]
    spared = delete("**", unless={"pushed_within_days": 3})
    decision = await retiring.decide(Inventory(adapter, "team/app"), rules(spared), now=NOW)
    assert [one.tags for one in decision.going()] == [("d9",)]


async def test_a_rule_that_asks_for_what_is_not_told_decides_nothing(
    registry: MemoryRegistry, there: Repository
) -> None:
    there.put_image("v1")
    with pytest.raises(UnknownFact):
        await going(registry, rules(delete("**", unless={"pushed_within_days": 3})))


def test_rules_that_ask_for_what_a_kind_does_not_tell_are_named() -> None:
    asked = rules(
        keep("**", when={"pulled_within_days": 3}),
        keep("**", when={"newest": {"count": 2, "by": "semver"}}),
    )
    silent = AdapterInfo(kind="silent", description="")
    telling = AdapterInfo(
        kind="telling", description="", tells_push_time=True, tells_pull_time=True
    )
    problems = list(inventory.untold(asked, silent))
    assert [one.partition(",")[0] for one in problems] == [
        "transship rule 1 asks for the pull time",
        "transship rule 1 asks for the push time",
    ]
    assert list(inventory.untold(asked, telling)) == []


def test_who_pushed_is_asked_of_this_registry_alone() -> None:
    asked = rules(delete("x", pushed_by=["ci"], platforms=["linux/*"]))
    info = AdapterInfo(kind="harbor", description="", tells_push_time=True, tells_pull_time=True)
    assert [one.partition(",")[0] for one in inventory.untold(asked, info)] == [
        "transship rule 1 asks for the pusher",
    ]


def said(architecture: str = "amd64", **labels: str) -> bytes:
    """A config."""
    document = {"os": "linux", "architecture": architecture, "config": {"Labels": labels}}
    return json.dumps(document).encode()


async def doomed(registry: MemoryRegistry, asked: RuleSet) -> set[str]:
    """Return the tags of what would go, configs read where the rules ask for them."""
    found = Inventory(MemoryAdapter(registry), "team/app", reads_configs=asked.asks_configs)
    decision = await retiring.decide(found, asked, now=NOW)
    return {tag for one in decision.going() for tag in one.tags}


async def test_labels_of_a_config_are_what_an_image_says_and_annotations_go_first(
    registry: MemoryRegistry, there: Repository
) -> None:
    there.put_image("dev", config=said(stage="dev"))
    there.put_image("release", config=said(stage="dev"), extra={"annotations": {"stage": "live"}})
    there.put_image("silent", config=said())
    assert await doomed(registry, rules(delete("**", annotations=["stage=dev"]))) == {"dev"}
    assert await doomed(registry, rules(delete("**", annotations=["!stage"]))) == {"silent"}


async def test_an_index_says_what_all_of_its_images_say_alike(
    registry: MemoryRegistry, there: Repository
) -> None:
    none = Platform(os="unknown", architecture="unknown")
    attested = replace(there.put_image(layers=(b"attestation",)).descriptor, platform=none)
    for tag, stages in (("release", ("live", "live")), ("mixed", ("live", "dev"))):
        images = [
            there.put_image(config=said(str(number), stage=stage)).descriptor
            for number, stage in enumerate(stages)
        ]
        there.put_index(tag, children=[*images, attested])
    assert await doomed(registry, rules(delete("**", annotations=["stage!=live"]))) == {"mixed"}


async def test_an_index_stays_of_which_an_image_cannot_be_asked_what_it_says(
    registry: MemoryRegistry, there: Repository
) -> None:
    there.put_index("all", children=[there.put_image(config=b"no JSON").descriptor])
    assert await doomed(registry, rules(delete("**", annotations=["!stage"]))) == set()


async def test_platforms_are_those_of_configs_and_of_the_entries_of_indexes(
    registry: MemoryRegistry, there: Repository
) -> None:
    there.put_image("amd", config=said())
    there.put_image("arm", config=said("arm64"))
    there.put_image("chart", config=b"{}")
    arm = Platform(os="linux", architecture="arm64")
    none = Platform(os="unknown", architecture="unknown")
    parts = [
        replace(there.put_image(layers=(name,)).descriptor, platform=one)
        for name, one in ((b"image", arm), (b"attestation", none))
    ]
    there.put_index("multi", children=parts)
    asked = rules(delete("**", platforms=["linux/arm64"]))
    assert await doomed(registry, asked) == {"arm", "multi"}


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (b"[]", "its config is not a JSON object"),
        (b" " * (image_config.LIMIT_BYTES + 1), "its config has 1048577 bytes"),
    ],
)
async def test_an_image_whose_config_cannot_be_read_is_left_alone(
    registry: MemoryRegistry, there: Repository, config: bytes, problem: str
) -> None:
    there.put_image("v1", config=config)
    asked = rules(delete("**", annotations=["!stage"]))
    found = Inventory(MemoryAdapter(registry), "team/app", reads_configs=True)
    (outcome,) = (await retiring.decide(found, asked, now=NOW)).outcomes()
    assert outcome.reason.startswith(f"kept: {problem}")


async def test_an_image_whose_config_is_gone_or_another_is_left_alone(
    registry: MemoryRegistry, there: Repository
) -> None:
    asked = rules(delete("**", annotations=["!stage"]))
    there.put_image("gone", config=said(name="gone"))
    del there.blobs[str(Digest.of(said(name="gone")))]
    there.put_image("damaged", config=said(name="good"))
    registry.lies[Digest.of(said(name="good"))] = said(name="evil")
    assert await doomed(registry, asked) == set()


async def test_configs_are_read_only_where_rules_ask(
    registry: MemoryRegistry, there: Repository
) -> None:
    there.put_image("v1", config=said())
    assert await doomed(registry, rules(delete("**", larger_than_bytes=0))) == {"v1"}
    assert registry.requests["read blob"] == 0


def test_labels_are_asked_of_this_registry_alone() -> None:
    labelled = {"kind": "label", "decoration": "withLabels", "pattern": "stable"}
    asked = rules({"action": "keep", "tags": [labelled]})
    info = AdapterInfo(kind="harbor", description="", tells_push_time=True, tells_pull_time=True)
    (problem,) = inventory.untold(asked, info)
    assert problem.startswith("transship rule 1 asks for the labels, which registries of kind")
