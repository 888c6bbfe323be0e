"""What happens between two steps of a collection, held there: pushes lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from typing_extensions import override

from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from registry import accepting, contents
from registry.accepting import Push
from registry.collection import reviewing, sweeping, undeleting
from registry.collection.errors import BytesGone
from registry.collection.reviewing import Reviewed, Scope
from registry.collection.sweeping import Swept
from registry.metadata import repositories
from registry.storage.driver import Undeleted
from registry.storage.filesystem import FilesystemStorage
from registry.stored_object import StoredObject
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import REPOSITORY, Yard, parts

WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted"
KEYS = "SELECT storage_key FROM registry.blobs"


class HeldStorage(FilesystemStorage):
    """A folder whose deletions wait to be let go: released, and not yet unlinked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()

    @override
    async def delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        self.asked.set()
        await self.let_go.wait()
        return await super().delete(objects)


@pytest.fixture
def storage(tmp_path: Path) -> HeldStorage:
    return HeldStorage(tmp_path)


async def pulled(yard: Yard, body: bytes, name: str) -> list[bytes]:
    """Return an image's manifest and blobs as somebody gets them."""
    raw = await yard.repository.read_manifest(steps.digest(body))
    found = [raw.body]
    for content in parts(name):
        blob = Descriptor(media_type="", digest=Digest.of(content), size_bytes=len(content))
        async with yard.repository.read_blob(blob) as chunks:
            found.append(b"".join([chunk async for chunk in chunks]))
    return found


async def held_sweep(yard: Yard, storage: HeldStorage) -> asyncio.Task[Swept]:
    """Begin to sweep what was deleted, and return when it is about to unlink."""
    sweep = asyncio.create_task(sweeping.sweep(yard.database, storage, release_now=True))
    await storage.asked.wait()
    return sweep


async def test_what_is_pushed_again_while_its_old_object_is_about_to_go_stays_whole(
    yard: Yard, storage: HeldStorage
) -> None:
    image = await yard.image("one", "1")
    old = set(await yard.values(KEYS))
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    sweep = await held_sweep(yard, storage)
    await yard.image("one", "1")
    storage.let_go.set()
    assert (await sweep).objects == len(old) == 2
    assert await pulled(yard, image, "one") == [image, *parts("one")]
    kept = {listed.key for listed in await storage.objects(after=None, limit=10)}
    assert kept == set(await yard.values(KEYS))
    assert not kept & old


async def test_what_is_about_to_go_is_not_put_back_and_can_be_pushed(
    yard: Yard, storage: HeldStorage
) -> None:
    image = await yard.image("one", "1")
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    sweep = await held_sweep(yard, storage)
    with pytest.raises(BytesGone):
        await undeleting.undelete(yard.database, REPOSITORY, "1", by="admin")
    assert await yard.manifests() == set()
    storage.let_go.set()
    assert (await sweep).failures == []
    await yard.image("one", "1")
    assert await pulled(yard, image, "one") == [image, *parts("one")]


async def reviewed(yard: Yard, review: asyncio.Task[Reviewed]) -> None:
    """Return when a review has ended, or waits for somebody's lock."""
    while not review.done():
        if await yard.values(WAITING) != [0]:
            return


async def test_a_review_takes_no_blob_that_a_push_under_way_has_locked(yard: Yard) -> None:
    for content in parts("one"):
        await yard.blob(content)
    body = steps.image(parts("one")[0], [parts("one")[1]])
    raw = RawManifest(media_type="", digest=Digest.of(body), body=body)
    await yard.age()
    async with yard.database.transaction() as push:
        repository_id = await repositories.find(push, REPOSITORY)
        assert repository_id is not None
        await accepting.accept(
            push,
            contents.read(raw),
            body,
            repository=(repository_id, REPOSITORY),
            push=Push(tags=["1"], by="admin"),
        )
        review = asyncio.create_task(reviewing.review(yard.database, Scope()))
        await reviewed(yard, review)
    assert (await review).links == 0
    await yard.collect()
    assert await pulled(yard, body, "one") == [body, *parts("one")]


async def test_a_review_takes_no_child_that_an_index_under_way_has_locked(yard: Yard) -> None:
    child = await yard.image("child")
    await yard.put(steps.index([child]), "old")
    await yard.repository.delete_manifest(Digest.of(steps.index([child])))
    await yard.age()
    index = steps.index([child], annotations={"is": "new"})
    raw = RawManifest(media_type="", digest=Digest.of(index), body=index)
    async with yard.database.transaction() as push:
        repository_id = await repositories.find(push, REPOSITORY)
        assert repository_id is not None
        await accepting.accept(
            push,
            contents.read(raw),
            index,
            repository=(repository_id, REPOSITORY),
            push=Push(tags=["new"], by="admin"),
        )
        review = asyncio.create_task(reviewing.review(yard.database, Scope()))
        await reviewed(yard, review)
    assert (await review).manifests == 0
    await yard.collect()
    assert await pulled(yard, child, "child") == [child, *parts("child")]
