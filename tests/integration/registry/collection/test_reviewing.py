"""Which rows collection takes, and which it leaves."""

from __future__ import annotations

from typing import cast

import pytest

from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import Unsupported
from registry.collection import reviewing, sweeping, untagged
from registry.collection.reviewing import Scope
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules, project_settings
from registry.selecting import Decoration, Selector
from registry.storage.filesystem import FilesystemStorage
from registry.uses import Used
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import Yard, digests_of, parts

CHILDREN = "SELECT ROW(repository_id, child_id) FROM registry.manifest_children"


async def test_an_upload_that_no_manifest_came_for_goes_when_its_lease_is_over(
    yard: Yard, storage: FilesystemStorage
) -> None:
    blob = await yard.blob(b"content")
    await yard.execute("UPDATE registry.gc_queue SET review_after = now()")
    found = await reviewing.review(yard.database, Scope())
    assert (found.links, found.blobs, found.kept) == (0, 0, 1)
    collected = await yard.collect()
    assert (collected.links, collected.blobs, collected.bytes) == (1, 1, len(b"content"))
    assert await yard.blobs() == set()
    buried = await yard.values(
        "SELECT registry.digest_text(digest) FROM registry.tombstones WHERE reason = 'collected'"
        " AND released_at IS NULL AND delete_after > now() + interval '6 days'"
    )
    assert buried == [str(blob)]
    assert (await sweeping.sweep(yard.database, storage)).objects == 0
    swept = await sweeping.sweep(yard.database, storage, release_now=True)
    assert (swept.objects, swept.bytes, list(swept.failures)) == (1, len(b"content"), [])
    assert await storage.objects(after=None, limit=10) == []


async def test_what_has_a_tag_stays_whole(yard: Yard) -> None:
    image = await yard.image("one", "latest")
    await yard.collect()
    assert await yard.manifests() == {steps.digest(image)}
    assert await yard.blobs() == digests_of(parts("one"))


async def test_what_lost_its_tag_or_never_had_one_stays(yard: Yard) -> None:
    tagged, untagged = await yard.image("one", "latest"), await yard.image("two")
    await yard.repository.delete_tag("latest")
    await yard.collect()
    assert await yard.manifests() == digests_of([tagged, untagged])


async def test_blobs_of_a_deleted_manifest_go_unless_another_has_them(yard: Yard) -> None:
    one, two = await yard.image("one", "1"), await yard.image("two", "2")
    shared = steps.image(parts("two")[0], [parts("one")[1]])
    await yard.put(shared, "3")
    await yard.repository.delete_manifest(await yard.put(one))
    await yard.repository.delete_manifest(await yard.put(two))
    await yard.collect()
    assert await yard.blobs() == digests_of([parts("two")[0], parts("one")[1]])


async def test_children_of_a_deleted_index_go_but_for_those_that_have_a_tag_or_another_index(
    yard: Yard,
) -> None:
    lone, tagged, shared = [
        await yard.image(name, *tags) for name, tags in (("a", ()), ("b", ("b",)), ("c", ()))
    ]
    index, other = steps.index([lone, tagged, shared]), steps.index([shared])
    doomed = await yard.put(index, "all")
    await yard.put(other, "other")
    await yard.repository.delete_manifest(doomed)
    await yard.collect()
    assert await yard.manifests() == digests_of([tagged, shared, other])
    assert await yard.blobs() == digests_of([*parts("b"), *parts("c")])


async def test_a_child_that_is_used_twice_within_a_minute_is_used_since_its_index_went(
    yard: Yard,
) -> None:
    child = await yard.image("child")
    index = await yard.put(steps.index([child]), "all")
    await yard.age()
    (found,) = await yard.values(CHILDREN)
    repository_id, manifest_id = cast("tuple[int, int]", found)
    used = Used(repository_id=repository_id, manifest_id=manifest_id)
    yard.registry.uses.note(used)
    await steps.merge_uses(yard.database, yard.registry)
    await yard.repository.delete_manifest(index)
    yard.registry.uses.note(used)
    await steps.merge_uses(yard.database, yard.registry)
    await yard.execute("UPDATE registry.gc_queue SET review_after = now()")
    await reviewing.review(yard.database, Scope())
    assert await yard.manifests() == digests_of([child])


async def test_the_lease_of_an_upload_ends_with_the_first_manifest_and_head_renews_what_is_free(
    yard: Yard,
) -> None:
    leased = "SELECT bool_or(lease_until > now()) FROM registry.repository_blobs"
    image = await yard.image("one", "latest")
    assert await yard.values(leased) == [False]
    layer = Descriptor(media_type="", digest=Digest.of(parts("one")[1]), size_bytes=12)
    assert await yard.repository.has_blob(layer)
    assert await yard.values(leased) == [False]
    await yard.repository.delete_manifest(Digest.of(image))
    assert await yard.repository.has_blob(layer)
    assert await yard.values(leased) == [True]


async def test_signatures_go_with_their_subject_unless_a_rule_names_their_tag(yard: Yard) -> None:
    image = await yard.image("one", "latest")
    name = steps.digest(image).replace(":", "-") + ".sig"
    signature = await yard.image("signature", name)
    rule = ImmutableRule(
        id=0,
        repository=Selector(decoration=Decoration.REPOSITORY_MATCHES, pattern="**"),
        tag=Selector(decoration=Decoration.MATCHES, pattern="sha256-*"),
    )
    async with yard.database.connection() as connection:
        project_id = await connection.fetchval("SELECT id FROM access.projects")
        rule_id = await immutable_rules.create(connection, project_id, rule)
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    assert await yard.manifests() == digests_of([signature])
    await yard.execute("DELETE FROM registry.immutable_rules WHERE id = $1", rule_id)
    await yard.image("one", "again")
    await yard.repository.delete_manifest(Digest.of(image))
    await yard.collect()
    assert await yard.manifests() == set()
    told = "SELECT event->>'by' FROM registry.outbox WHERE event->'tags' ? $1 ORDER BY id DESC"
    assert (await yard.values(told, name))[0] == "garbage collection"


async def test_what_a_project_no_longer_keeps_goes_when_nobody_used_it_for_so_long(
    yard: Yard,
) -> None:
    image = await yard.image("one")
    async with yard.database.connection() as connection:
        project_id = await connection.fetchval("SELECT id FROM access.projects")
        await project_settings.set_untagged_keep_days(connection, project_id, 1)
    await yard.execute("DELETE FROM registry.gc_queue")
    assert await untagged.queue_for_projects(yard.database)
    assert not await untagged.queue_for_projects(yard.database)
    assert (await yard.collect()).manifests == 0
    await yard.execute("UPDATE registry.manifests SET lease_until = now() - interval '26 hours'")
    assert (await reviewing.review(yard.database, Scope())).manifests == 0
    await yard.execute("UPDATE registry.gc_queue SET review_after = now()")
    assert (await reviewing.review(yard.database, Scope())).manifests == 1
    assert await yard.manifests() == set()
    assert await yard.values("SELECT reason FROM registry.deleted_manifests") == ["untagged"]
    assert steps.digest(image) not in await yard.manifests()


async def test_a_pinned_manifest_waits_for_the_end_of_its_pin(yard: Yard) -> None:
    child = await yard.image("child")
    index = steps.index([child])
    await yard.put(index)
    await yard.repository.delete_manifest(Digest.of(index))
    await yard.execute(
        "INSERT INTO registry.pins (manifest_id, owner, expires_at)"
        " SELECT id, 'scan', now() + interval '1 hour' FROM registry.manifests"
    )
    assert (await yard.collect()).manifests == 0
    await yard.execute("UPDATE registry.pins SET expires_at = now()")
    assert (await yard.collect()).manifests == 1


async def test_what_a_table_of_another_release_refers_to_stays_and_keeps_no_other_from_going(
    yard: Yard,
) -> None:
    children = [await yard.image(name) for name in ("one", "two", "three")]
    await yard.put(steps.index(children))
    await yard.repository.delete_manifest(Digest.of(steps.index(children)))
    await yard.execute(
        "CREATE TABLE registry.scans (manifest_id bigint REFERENCES registry.manifests (id));"
        "INSERT INTO registry.scans SELECT id FROM registry.manifests ORDER BY id OFFSET 2"
    )
    found = await yard.collect()
    assert (found.manifests, found.kept) == (2, 1)
    assert await yard.manifests() == {steps.digest(children[2])}


async def test_a_pinned_manifest_is_not_deleted_and_it_is_said_why(yard: Yard) -> None:
    image = await yard.image("one", "latest")
    await yard.execute(
        "INSERT INTO registry.pins (manifest_id, owner) SELECT id, 'scan' FROM registry.manifests"
    )
    with pytest.raises(Unsupported, match="pinned"):
        await yard.repository.delete_manifest(Digest.of(image))
    await yard.execute("UPDATE registry.pins SET expires_at = now()")
    await yard.repository.delete_manifest(Digest.of(image))
    assert await yard.manifests() == set()
