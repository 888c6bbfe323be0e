"""The races of an online collection, each with its number in the catalogue (decision 8).

1 to 8: a push, a mount, a tag, a pull against a review; 10 and 12: a sweep that is held or dies;
13 and 17: the queue. 9, 11 and 20 are an upload's own (test_durability, test_upload_hold), 18 is
refused in test_manifests, 14 cannot be: nothing but Postgres knows what is there.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from database.pool import Connection
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import NotFound
from registry import accepting, contents
from registry.accepting import Push
from registry.collection import reviewing, sweeping
from registry.collection.reviewing import Scope
from registry.metadata import (
    blobs,
    collection,
    collection_manifests,
    repositories,
    review_queue,
)
from registry.metadata.review_queue import Kind, Queued
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import (
    REPOSITORY,
    Yard,
    digests_of,
    parts,
)
from tests.integration.registry.collection.holding import (
    DEADLINE_SECONDS,
    Died,
    HeldStorage,
    begun,
)

SCOPE = Scope()


async def put(connection: Connection, body: bytes, *tags: str) -> None:
    """Put a manifest within a transaction."""
    repository_id = await repositories.find(connection, REPOSITORY)
    assert repository_id is not None
    raw = RawManifest(media_type="", digest=Digest.of(body), body=body)
    await accepting.accept(
        connection,
        contents.read(raw),
        body,
        repository=(repository_id, REPOSITORY),
        push=Push(tags=tags, by=""),
    )


async def taken(connection: Connection, kind: Kind) -> list[Queued]:
    return list(
        await review_queue.take(
            connection, kind, limit=100, ignore_delay=True, delete_untagged=True
        )
    )


async def test_1_an_upload_is_safe_as_long_as_its_lease(yard: Yard) -> None:
    blob = await yard.blob(b"content")
    await yard.execute("UPDATE registry.gc_queue SET review_after = now()")
    assert (await reviewing.review(yard.database, SCOPE)).kept == 1
    assert await yard.blobs() == {str(blob)}
    (wait,) = await yard.values(
        "SELECT review_after >= lease_until FROM registry.gc_queue"
        " JOIN registry.repository_blobs ON blob_id = object_id WHERE kind = 'l'"
    )
    assert wait is True


async def test_2_a_head_that_meets_a_collection_does_not_promise_what_goes(yard: Yard) -> None:
    layer = Descriptor(media_type="", digest=await yard.blob(b"content"), size_bytes=7)
    await yard.age()
    async with yard.database.transaction() as connection:
        due = await taken(connection, Kind.LINK)
        assert (await collection.delete_links(connection, due)).count == 1
        task = await begun(yard.database, yard.repository.has_blob(layer))
        assert not task.done()
    assert await task is False


async def test_2_a_head_renews_what_a_review_then_leaves(yard: Yard) -> None:
    layer = Descriptor(media_type="", digest=await yard.blob(b"content"), size_bytes=7)
    await yard.age()
    assert await yard.repository.has_blob(layer)
    assert (await reviewing.review(yard.database, SCOPE)).links == 0
    assert await yard.repository.has_blob(layer)


async def test_3_a_manifest_that_commits_while_its_blobs_are_judged_keeps_them(yard: Yard) -> None:
    for content in parts("one"):
        await yard.blob(content)
    await yard.age()
    body = steps.image(parts("one")[0], [parts("one")[1]])
    async with yard.database.transaction() as connection:
        await put(connection, body, "latest")
        task = await begun(yard.database, reviewing.review(yard.database, SCOPE))
    assert (await task).links == 0
    await yard.collect()
    assert await yard.blobs() == digests_of(parts("one"))


async def test_4_a_mount_keeps_a_blob_whose_link_elsewhere_goes(yard: Yard) -> None:
    digest = await yard.blob(b"content")
    await yard.age()
    async with yard.database.connection() as connection:
        other = await repositories.ensure(connection, project="library", name="library/other")
        assert other is not None
    async with yard.database.transaction() as collecting:
        due = await taken(collecting, Kind.LINK)
        assert (await collection.delete_links(collecting, due)).count == 1
        async with yard.database.transaction() as mounting:
            assert await blobs.mount(mounting, other, digest, source=REPOSITORY) == 7
    await reviewing.review(yard.database, Scope(ignore_delay=True))
    assert await yard.blobs() == {str(digest)}


async def test_4_a_mount_of_a_blob_that_goes_finds_nothing(yard: Yard) -> None:
    digest = await yard.blob(b"content")
    await yard.execute("DELETE FROM registry.repository_blobs")
    async with yard.database.connection() as connection:
        here = await repositories.find(connection, REPOSITORY)
        assert here is not None

    async def mount() -> int | None:
        async with yard.database.transaction() as connection:
            return await blobs.mount(connection, here, digest, source=None)

    async with yard.database.transaction() as connection:
        due = await taken(connection, Kind.BLOB)
        assert (await collection.bury_blobs(connection, due)).count == 1
        task = await begun(yard.database, mount())
    assert await task is None
    assert await yard.blobs() == set()


async def test_5_an_index_that_commits_while_its_child_is_judged_keeps_it(yard: Yard) -> None:
    child = await yard.image("child")
    await yard.put(steps.index([child]), "old")
    await yard.repository.delete_manifest(Digest.of(steps.index([child])))
    await yard.age()
    async with yard.database.transaction() as connection:
        await put(connection, steps.index([child], annotations={"a": "b"}), "new")
        task = await begun(yard.database, reviewing.review(yard.database, SCOPE))
    assert (await task).manifests == 0
    assert (await yard.collect()).manifests == 0
    assert steps.digest(child) in await yard.manifests()


async def test_6_a_subject_that_is_pushed_again_keeps_its_signatures(yard: Yard) -> None:
    image = await yard.image("one", "latest")
    signature = await yard.image("signature", subject=steps.descriptor(image))
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.put(image, "latest")
    await yard.collect()
    assert await yard.manifests() == digests_of([image, signature])


async def test_6_a_signature_whose_subject_is_not_here_yet_stays(yard: Yard) -> None:
    image = steps.image(parts("one")[0], [])
    signature = await yard.image("signature", subject=steps.descriptor(image))
    await yard.collect()
    assert await yard.manifests() == digests_of([signature])


async def test_7_a_tag_that_commits_while_its_target_is_judged_keeps_it(yard: Yard) -> None:
    image = await yard.image("one")
    await yard.age()
    async with yard.database.transaction() as connection:
        await put(connection, image, "latest")
        task = await begun(
            yard.database,
            reviewing.review(yard.database, Scope(delete_untagged=True, ignore_delay=True)),
        )
    assert (await task).manifests == 0
    assert (await yard.repository.read_manifest("latest")).body == image


async def test_7_a_manifest_that_is_put_again_while_it_goes_is_there_afterwards(
    yard: Yard,
) -> None:
    image = await yard.image("one")
    (manifest_id,) = await yard.values("SELECT id FROM registry.manifests")
    async with yard.database.transaction() as connection:
        assert await collection_manifests.lock(connection, [manifest_id])  # type: ignore[list-item]
        await collection_manifests.delete(connection, [manifest_id], by="", reason="untagged")  # type: ignore[list-item]
        task = await begun(yard.database, yard.put(image, "latest"))
        assert not task.done()
    await task
    await yard.collect()
    assert (await yard.repository.read_manifest("latest")).body == image
    assert await yard.blobs() == digests_of(parts("one"))


async def test_8_what_is_deleted_in_the_middle_of_a_pull_is_read_to_its_end(yard: Yard) -> None:
    content = bytes(3_000_000)
    layer = Descriptor(media_type="", digest=await yard.blob(content), size_bytes=len(content))
    async with yard.repository.read_blob(layer) as chunks:
        read = await anext(chunks)
        await yard.collect()
        assert await yard.blobs() == set()
        await sweeping.sweep(yard.database, yard.storage)
        read += b"".join([chunk async for chunk in chunks])
    assert read == content


async def test_10_what_is_pushed_again_while_its_old_object_goes_has_an_object_of_its_own(
    yard: Yard, tmp_path: Path
) -> None:
    layer = Descriptor(media_type="", digest=await yard.blob(b"content"), size_bytes=7)
    await yard.collect()
    held = HeldStorage(tmp_path)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        sweep = group.create_task(sweeping.sweep(yard.database, held, release_now=True))
        await held.reached.wait()
        await yard.blob(b"content")
        held.go_on.set()
    assert sweep.result().objects == 1
    async with yard.repository.read_blob(layer) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == b"content"


async def test_12_a_sweep_that_dies_before_or_after_it_deletes_is_repeated(
    yard: Yard, tmp_path: Path
) -> None:
    await yard.blob(b"content")
    await yard.collect()
    with pytest.raises(Died):
        await sweeping.sweep(yard.database, HeldStorage(tmp_path, dies=True), release_now=True)
    assert (await sweeping.sweep(yard.database, yard.storage, release_now=True)).objects == 0
    await yard.execute("UPDATE registry.tombstones SET delete_after = now()")
    await yard.storage.delete([one.stored for one in await yard.tombstones()])
    assert (await sweeping.sweep(yard.database, yard.storage)).objects == 1
    assert await yard.tombstones() == []


async def test_13_what_comes_up_while_it_is_reviewed_is_queued_again(yard: Yard) -> None:
    await yard.image("one", "1", "2")
    await yard.repository.delete_tag("1")
    async with yard.database.transaction() as connection:
        assert await taken(connection, Kind.MANIFEST)
        task = await begun(yard.database, yard.repository.delete_tag("2"))
        assert not task.done()
    await task
    assert await yard.values(
        "SELECT reason FROM registry.gc_queue WHERE kind = 'm' AND attempts = 0"
    ) == ["untagged"]


async def test_17_any_number_may_collect_at_once(yard: Yard) -> None:
    for number in range(20):
        await yard.blob(str(number).encode())
    await yard.age()
    scope = Scope(ignore_delay=True)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(reviewing.review(yard.database, scope, limit=5)) for _ in range(3)
        ]
    seen = [task.result() for task in tasks]
    seen.append(await reviewing.review(yard.database, scope))
    while seen[-1].more:
        await yard.age()
        seen.append(await reviewing.review(yard.database, scope))
    assert sum(one.blobs for one in seen) == sum(one.links for one in seen) == 20
    assert await yard.blobs() == set()


async def test_17_a_review_that_is_held_up_holds_up_no_other(yard: Yard) -> None:
    for content in (b"first", b"second"):
        await yard.blob(content)
    await yard.age()
    await yard.execute(
        "UPDATE registry.gc_queue SET review_after = now() + object_id * interval '-1 s'"
    )
    await yard.execute("DELETE FROM registry.gc_queue WHERE kind = 'b'")
    async with yard.database.transaction() as connection:
        # The first review waits here when it has deleted its link, and not yet committed.
        await connection.execute(
            "INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)"
            " SELECT 'b', max(id), 'unlinked', now() FROM registry.blobs"
        )
        first = await begun(yard.database, reviewing.review(yard.database, SCOPE, limit=1))
        async with asyncio.timeout(DEADLINE_SECONDS):
            second = await reviewing.review(yard.database, SCOPE, limit=1)
        assert (second.links, first.done()) == (1, False)
    assert (await first).links == 1
    assert await yard.values("SELECT count FROM registry.collected WHERE name = 'links'") == [2]


async def test_a_tag_that_a_collection_takes_meanwhile_is_not_there_to_be_deleted(
    yard: Yard,
) -> None:
    subject = await yard.image("subject", "latest")
    signature = await yard.image("signature", f"sha256-{steps.digest(subject)[7:]}.sig")
    await yard.repository.delete_manifest(Digest.of(subject))
    await yard.age()
    tag = f"sha256-{steps.digest(subject)[7:]}.sig"
    async with yard.database.transaction() as collecting:
        due = await taken(collecting, Kind.MANIFEST)
        task = await begun(yard.database, yard.repository.delete_tag(tag))
        # It has the tag and wants the queue; the collection has the queue and wants the tag.
        await collection_manifests.delete(
            collecting, [one.object_id for one in due], by="", reason="subject_deleted"
        )
    with pytest.raises(NotFound):
        await task
    assert steps.digest(signature) not in await yard.manifests()
