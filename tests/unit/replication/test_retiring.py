"""At another registry goes what was decided about, and no digest that anybody else points to."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import referrers
from protocol.content import ListedArtifact, RawManifest
from protocol.digest import Digest
from protocol.errors import Denied, Unsupported
from replication.inventory import Inventory
from replication.retiring import FRESH_SECONDS, GONE, Condemned, Retirement
from tests.fakes.registry.content import Repository
from tests.fakes.stores import MemoryAdapter, MemoryRegistry, refusal


class Scene:
    """A registry, and deletions in it; `confirmed` counts how often a write was asked for."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.there: Repository = self.registry.repository("team/app")
        self.adapter = MemoryAdapter(self.registry)
        self.inventory = Inventory(self.adapter, "team/app")
        self.confirmed = 0
        self.now = 0.0
        self.retirement = Retirement(self.inventory, confirm=self._confirm, clock=lambda: self.now)

    async def _confirm(self) -> None:
        self.confirmed += 1

    async def retire(self, image: RawManifest, *tags: str, tag: str | None = None) -> str:
        return await self.retirement.retire(Condemned(digest=image.digest, tags=tags, tag=tag))

    @property
    def names(self) -> set[str]:
        return set(self.there.tags)

    def holds(self, image: RawManifest) -> bool:
        return str(image.digest) in self.there.manifests


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_an_artifact_goes_with_all_its_tags(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    scene.there.tags["old"] = str(image.digest)
    assert not await scene.retire(image, "old", "v1")
    assert (scene.names, scene.holds(image), scene.confirmed) == (set(), False, 1)


async def test_an_artifact_that_got_another_tag_stays(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    scene.there.tags["new"] = str(image.digest)
    assert await scene.retire(image, "v1") == "new has the same digest by now"
    assert scene.holds(image)
    assert scene.confirmed == 0


def with_digests(repository: Repository) -> list[ListedArtifact]:
    return [
        ListedArtifact(repository=repository.name, tags=(tag,), digest=Digest.parse(digest))
        for tag, digest in repository.tags.items()
    ]


@pytest.mark.parametrize(("tag", "has_digests"), [("came", False), ("came", True), ("v2", True)])
async def test_what_a_tag_came_to_in_the_last_moment_stays_where_one_request_tells(
    scene: Scene, tag: str, *, has_digests: bool
) -> None:
    if has_digests:
        scene.adapter.listing_of = with_digests
    image = scene.there.put_image("v1")
    scene.there.put_image("v2", layers=(b"two",))
    first = scene.there.put_image("first", layers=(b"first",))
    assert not await scene.retire(first, "first")
    scene.there.tags[tag] = str(image.digest)
    assert await scene.retire(image, "v1") == f"{tag} has the same digest by now"
    assert scene.holds(image)


async def test_an_index_that_came_in_the_last_moment_keeps_what_it_names(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    first = scene.there.put_image("first", layers=(b"first",))
    assert not await scene.retire(first, "first")
    index = scene.there.put_index("all", children=[image.descriptor])
    assert await scene.retire(image, "v1") == f"it is part of {index.digest}"


async def test_a_tag_that_moved_stays_with_what_it_pointed_to(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    other = scene.there.put_image("v1", layers=(b"other",))
    assert await scene.retire(image, "v1") == f"tag v1 points to {other.digest} by now"
    assert scene.holds(image)


async def test_what_became_part_of_an_index_stays(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    index = scene.there.put_index("all", children=[image.descriptor])
    assert await scene.retire(image, "v1") == f"it is part of {index.digest}"
    assert scene.holds(image)
    assert not await scene.retire(index, "all")
    assert not await scene.retire(image, "v1")


async def test_what_is_gone_already_is_said_to_be_gone(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    scene.there.put_image("v2", layers=(b"other",))
    await scene.retire(image, "v1")
    assert await scene.retire(image, "v1") == GONE
    assert await scene.retire(image, "v1", tag="v1") == GONE


async def test_signatures_go_with_what_they_sign(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    stays = scene.there.put_image("v2", layers=(b"two",))
    sbom = scene.there.put_image(layers=(b"sbom",), subject=image.descriptor)
    named = scene.there.put_image("my-sbom", layers=(b"named",), subject=image.descriptor)
    signature = scene.there.put_image(
        f"{referrers.fallback_tag(image.digest)}.sig", layers=(b"signature",)
    )
    kept = f"{referrers.fallback_tag(stays.digest)}.sig"
    scene.there.put_image(kept, layers=(b"another signature",))
    assert not await scene.retire(image, "v1")
    assert not scene.holds(sbom)
    assert not scene.holds(signature)
    assert scene.holds(named)
    assert scene.names == {"v2", "my-sbom", kept}


async def test_what_a_fallback_index_lists_goes_with_it_unless_it_has_a_tag(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    sbom = scene.there.put_image(layers=(b"sbom",), subject=image.descriptor)
    named = scene.there.put_image("my-sbom", layers=(b"named",), subject=image.descriptor)
    listed = [sbom.descriptor, named.descriptor]
    index = scene.there.put_index(referrers.fallback_tag(image.digest), children=listed)
    assert not await scene.retire(image, "v1")
    assert [scene.holds(one) for one in (index, sbom, named)] == [False, False, True]


async def test_a_tag_goes_and_its_artifact_stays(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    scene.there.tags["old"] = str(image.digest)
    assert not await scene.retire(image, "old", tag="old")
    assert (scene.names, scene.holds(image)) == ({"v1"}, True)


async def test_a_tag_that_moved_stays(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    other = scene.there.put_image("v1", layers=(b"other",))
    refused = await scene.retire(image, "v1", tag="v1")
    assert refused == f"tag v1 points to {other.digest} by now"
    assert scene.names == {"v1"}


async def test_where_tags_cannot_be_deleted_alone_they_stay_and_it_is_said(scene: Scene) -> None:
    scene.registry.deletes_tags = False
    image = scene.there.put_image("v1")
    scene.there.tags["old"] = str(image.digest)
    assert await scene.retire(image, "old", tag="old") == (
        "this registry cannot delete a tag without its digest, and v1 has the same digest"
    )
    del scene.there.tags["v1"]
    scene.now += FRESH_SECONDS + 1
    assert await scene.retire(image, "old", tag="old") == (
        "this registry cannot delete a tag without its artifact, which is to stay"
    )
    assert scene.holds(image)


async def test_an_artifact_that_a_registry_deletes_with_a_tag_is_put_back(scene: Scene) -> None:
    scene.registry.deletes_digests_with_tags = True
    image = scene.there.put_image("v1")
    scene.there.tags |= dict.fromkeys(("latest", "old"), str(image.digest))
    assert await scene.retire(image, "old", tag="old") == (
        "the registry deleted the artifact with the tag; the artifact and latest, v1 was put back,"
        " without this tag"
    )
    assert scene.names == {"latest", "v1"}
    assert scene.holds(image)


@pytest.mark.parametrize("error", [Unsupported, Denied])
async def test_a_registry_that_deletes_nothing_is_a_failure(scene: Scene, error: Any) -> None:
    image = scene.there.put_image("v1")
    scene.registry.faults["delete_manifest"] = [refusal(error, 405, "UNSUPPORTED", "read only")]
    with pytest.raises(error, match="read only"):
        await scene.retire(image, "v1")


async def test_what_was_listed_in_pages_is_listed_again_when_it_is_old(scene: Scene) -> None:
    scene.adapter.page_size = 2
    for number in range(3):
        scene.there.put_image(f"v{number}", layers=(b"%d" % number,))
    images = {tag: scene.there.find(tag) for tag in sorted(scene.names)}
    for tag, image in images.items():
        assert image is not None
        assert not await scene.retire(image, tag)
        scene.now += 0.6 * FRESH_SECONDS
    assert scene.registry.requests["list"] == 2 + 1 + 1  # two pages, then what is left of them


async def test_one_page_is_listed_once_more_before_each_deletion(scene: Scene) -> None:
    for number in range(3):
        scene.there.put_image(f"v{number}", layers=(b"%d" % number,))
    for tag in sorted(scene.names):
        image = scene.there.find(tag)
        assert image is not None
        assert not await scene.retire(image, tag)
    assert scene.registry.requests["list"] == 1 + 3
    assert scene.registry.requests["resolve"] == 3 + 3


async def test_whoever_lost_the_work_deletes_nothing(scene: Scene) -> None:
    async def lost() -> None:
        raise LookupError

    image = scene.there.put_image("v1")
    retirement = Retirement(scene.inventory, confirm=lost)
    for tag in (None, "v1"):
        with pytest.raises(LookupError):
            await retirement.retire(Condemned(digest=image.digest, tags=("v1",), tag=tag))
    assert scene.holds(image)
    assert scene.names == {"v1"}


async def test_a_repository_that_goes_with_its_last_tag_has_nothing_left(scene: Scene) -> None:
    image = scene.there.put_image("v1")
    other = scene.there.put_image("v2", layers=(b"other",))
    assert not await scene.retire(image, "v1")
    del scene.registry.repositories["team/app"]
    scene.now += FRESH_SECONDS + 1
    assert await scene.retire(other, "v2") == GONE
