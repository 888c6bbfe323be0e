"""What is said to be restorable is what undeleting puts back, and nothing else."""

from __future__ import annotations

import pytest

from protocol.digest import Digest
from registry.collection import restorable, sweeping, undeleting
from registry.collection.errors import BytesGone, NotMissing
from registry.collection.restorable import State
from registry.parsing import Parser
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import REPOSITORY, Yard, parts


async def state(yard: Yard, body: bytes, *, tag: str | None = None) -> State:
    async with yard.database.transaction() as connection:
        return await restorable.state(connection, Parser(), REPOSITORY, Digest.of(body), tag=tag)


async def undelete(yard: Yard, reference: str) -> None:
    await undeleting.undelete(yard.database, REPOSITORY, reference, by="admin")


async def release(yard: Yard, storage: FilesystemStorage, *, objects: int = 100) -> None:
    await sweeping.sweep(yard.database, storage, release_now=True, limit=objects)


async def test_what_can_be_put_back_is_deleted_and_then_returned(yard: Yard) -> None:
    image = await yard.image("one", "latest")
    await yard.repository.delete_manifest(Digest.of(image))
    assert await state(yard, image) is State.DELETED
    await yard.collect()
    assert await state(yard, image) is State.DELETED
    await undelete(yard, steps.digest(image))
    assert await state(yard, image) is State.RETURNED


async def test_what_misses_one_object_is_released_and_undeleting_says_the_same(
    yard: Yard, storage: FilesystemStorage
) -> None:
    image = await yard.image("one", "latest")
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    await release(yard, storage, objects=1)
    assert await state(yard, image) is State.RELEASED
    with pytest.raises(BytesGone, match="is released: bytes that it needs are gone for good"):
        await undelete(yard, steps.digest(image))


async def test_bytes_that_somebody_pushed_again_make_it_restorable(
    yard: Yard, storage: FilesystemStorage
) -> None:
    image = await yard.image("one", "latest")
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    await release(yard, storage)
    for content in parts("one"):
        await yard.blob(content)
    assert await state(yard, image) is State.DELETED
    await undelete(yard, steps.digest(image))


async def test_an_index_is_released_with_what_it_names(
    yard: Yard, storage: FilesystemStorage
) -> None:
    kept, lost = await yard.image("kept"), await yard.image("lost")
    inner = steps.index([lost])
    await yard.put(inner)
    outer = steps.index([kept, inner])
    await yard.put(outer, "all")
    await yard.repository.delete_manifest(Digest.of(outer))
    await yard.collect()
    assert await yard.manifests() == set()
    assert await state(yard, outer) is State.DELETED
    for content in parts("kept"):
        await yard.blob(content)
    await release(yard, storage)
    assert await state(yard, kept) is State.DELETED
    assert [await state(yard, one) for one in (outer, inner, lost)] == [State.RELEASED] * 3
    with pytest.raises(BytesGone, match="is released"):
        await undelete(yard, "all")


async def test_an_index_whose_child_is_forgotten_is_released(yard: Yard) -> None:
    child = await yard.image("child")
    index = steps.index([child])
    await yard.put(index, "all")
    await yard.repository.delete_manifest(Digest.of(index))
    await yard.collect()
    await yard.execute(
        "UPDATE registry.deleted_manifests SET forget_after = now()"
        " WHERE registry.digest_text(digest) = $1",
        steps.digest(child),
    )
    assert await state(yard, index) is State.RELEASED
    with pytest.raises(BytesGone, match=f"is released: {steps.digest(child)}, which it names"):
        await undelete(yard, "all")


async def test_a_tag_that_went_alone_returns_when_its_name_is_taken(
    yard: Yard, storage: FilesystemStorage
) -> None:
    image = await yard.image("one", "1.0")
    await yard.repository.delete_tag("1.0")
    await release(yard, storage)
    assert await state(yard, image, tag="1.0") is State.DELETED
    await yard.image("two", "1.0")
    assert await state(yard, image, tag="1.0") is State.RETURNED
    with pytest.raises(NotMissing):
        await undelete(yard, "1.0")


async def test_a_tag_goes_for_good_with_what_it_led_to(
    yard: Yard, storage: FilesystemStorage
) -> None:
    image = await yard.image("one", "1.0")
    await yard.repository.delete_tag("1.0")
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    assert await state(yard, image, tag="1.0") is State.DELETED
    await release(yard, storage)
    assert await state(yard, image, tag="1.0") is State.RELEASED
    with pytest.raises(BytesGone, match="is released"):
        await undelete(yard, "1.0")


async def test_a_repository_that_is_gone_hides_nothing(yard: Yard) -> None:
    image = await yard.image("one", "1.0")
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    await yard.execute("DELETE FROM registry.repositories")
    assert await state(yard, image) is State.DELETED
    await undelete(yard, "1.0")
    assert await yard.manifests() == {steps.digest(image)}
