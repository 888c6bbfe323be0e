"""What was deleted comes back whole within the window, or it is said why not."""

from __future__ import annotations

import pytest

from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from registry.collection import sweeping, undeleting
from registry.collection.errors import BytesGone, NotDeleted, NotMissing
from registry.collection.undeleting import Undeleted
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import (
    REPOSITORY,
    Yard,
    digests_of,
    parts,
)


async def undelete(yard: Yard, reference: str) -> Undeleted:
    return await undeleting.undelete(yard.database, REPOSITORY, reference, by="admin")


async def delete(yard: Yard, body: bytes) -> None:
    await yard.repository.delete_manifest(Digest.of(body))
    await yard.collect()


async def pull(yard: Yard, body: bytes, *contents: bytes) -> None:
    """Read a manifest and its blobs, and compare."""
    raw: RawManifest = await yard.repository.read_manifest(str(Digest.of(body)))
    assert raw.body == body
    for content in contents:
        blob = Descriptor(media_type="", digest=Digest.of(content), size_bytes=len(content))
        async with yard.repository.read_blob(blob) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == content


async def test_a_deleted_image_comes_back_with_its_blobs_and_tags(yard: Yard) -> None:
    image = await yard.image("one", "1", "latest")
    await yard.execute("UPDATE registry.manifests SET pull_count = 7, pushed_by = 'ann'")
    await delete(yard, image)
    assert (await yard.manifests(), await yard.blobs()) == (set(), set())
    back = await undelete(yard, "latest")
    assert (back.digests, set(back.tags), back.taken) == (
        (Digest.of(image),),
        {"1", "latest"},
        (),
    )
    await pull(yard, image, *parts("one"))
    assert await yard.values("SELECT pushed_by || pull_count FROM registry.manifests") == ["ann7"]
    assert await yard.values("SELECT name FROM registry.tags ORDER BY 1") == ["1", "latest"]
    await yard.collect()
    await pull(yard, image, *parts("one"))
    with pytest.raises(NotMissing, match="is in"):
        await undelete(yard, steps.digest(image))


async def test_an_index_comes_back_with_children_and_signatures_that_went_after_it(
    yard: Yard,
) -> None:
    child = await yard.image("child")
    index = steps.index([child])
    await yard.put(index, "all")
    signature = await yard.image("signature", subject=steps.descriptor(index))
    tagged = await yard.image("cosign", steps.digest(index).replace(":", "-") + ".sig")
    early = await yard.image("early", subject=steps.descriptor(index))
    await yard.repository.delete_manifest(Digest.of(early))
    await delete(yard, index)
    assert await yard.manifests() == set()
    back = await undelete(yard, steps.digest(index))
    assert {str(one) for one in back.digests} == digests_of([child, index, signature, tagged])
    assert await yard.manifests() == digests_of([child, index, signature, tagged])
    await pull(yard, child, *parts("child"))
    assert sorted(back.tags) == sorted(["all", steps.digest(index).replace(":", "-") + ".sig"])


async def test_a_deleted_tag_comes_back_alone_where_its_name_is_free(yard: Yard) -> None:
    one = await yard.image("one", "latest")
    await yard.repository.delete_tag("latest")
    assert (await undelete(yard, "latest")).tags == ("latest",)
    await yard.repository.delete_tag("latest")
    two = await yard.image("two", "latest")
    with pytest.raises(NotMissing, match=f"{steps.digest(two)} now: name {steps.digest(one)}"):
        await undelete(yard, "latest")
    with pytest.raises(NotDeleted):
        await undelete(yard, "never")


async def test_a_tag_that_was_given_away_stays_where_it_is(yard: Yard) -> None:
    one = await yard.image("one", "latest")
    await delete(yard, one)
    two = await yard.image("two", "latest")
    back = await undelete(yard, steps.digest(one))
    assert (back.tags, back.taken) == ((), ("latest",))
    assert await yard.manifests() == digests_of([one, two])
    assert (await yard.repository.read_manifest("latest")).body == two


async def test_what_was_released_does_not_come_back_and_nothing_changes(
    yard: Yard, storage: FilesystemStorage
) -> None:
    image = await yard.image("one", "latest")
    await delete(yard, image)
    assert (await sweeping.sweep(yard.database, storage, release_now=True, limit=1)).objects == 1
    with pytest.raises(BytesGone, match="gone for good") as refused:
        await undelete(yard, "latest")
    assert len(refused.value.missing) == 1
    assert (await yard.manifests(), await yard.blobs()) == (set(), set())


async def test_a_digest_that_was_pushed_again_is_taken_and_the_old_object_goes(
    yard: Yard, storage: FilesystemStorage
) -> None:
    image = await yard.image("one", "latest")
    await delete(yard, image)
    await yard.blob(parts("one")[1])
    await undelete(yard, "latest")
    await sweeping.sweep(yard.database, storage, release_now=True)
    await pull(yard, image, *parts("one"))


async def test_what_is_past_its_window_is_forgotten(yard: Yard) -> None:
    image = await yard.image("one", "latest")
    await delete(yard, image)
    await yard.execute("UPDATE registry.deleted_manifests SET forget_after = now()")
    with pytest.raises(NotDeleted):
        await undelete(yard, steps.digest(image))


async def test_a_project_made_anew_gets_nothing_of_the_one_before(yard: Yard) -> None:
    image = await yard.image("one", "latest")
    await delete(yard, image)
    await yard.execute("UPDATE registry.deleted_manifests SET project_id = 4711")
    await yard.execute("UPDATE registry.deleted_tags SET project_id = 4711")
    for reference in ("latest", steps.digest(image)):
        with pytest.raises(NotDeleted):
            await undelete(yard, reference)


async def test_a_digest_with_ten_thousand_tags_goes_and_comes_back_with_all_of_them(
    yard: Yard,
) -> None:
    tags = [f"t{number:05}" for number in range(10_000)]
    image = await yard.image("many", *tags)
    await delete(yard, image)
    assert (await yard.manifests(), await yard.blobs()) == (set(), set())
    back = await undelete(yard, tags[-1])
    assert (sorted(back.tags), back.taken) == (tags, ())
    assert await yard.values("SELECT count(*) FROM registry.tags") == [len(tags)]
