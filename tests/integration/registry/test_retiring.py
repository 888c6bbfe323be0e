"""What was decided to be deleted is deleted only while it is still as it was then."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from access import projects
from access.identity import SYSTEM
from database.pool import Database
from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest
from registry import retiring
from registry.immutability import ImmutableRule
from registry.metadata import digests as stored
from registry.metadata import immutable_rules
from registry.metadata import retiring as standing_rows
from registry.retiring import Condemned
from registry.selecting import Decoration, Selector
from registry.service import Registry
from registry.uses import Used
from tests.integration.registry import steps

REPOSITORY = "team/app"


def manifest(content: str, *children: RawManifest) -> RawManifest:
    named = [
        {"mediaType": one.media_type, "digest": str(one.digest), "size": len(one.body)}
        for one in children
    ]
    value = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": named,
        "annotations": {"content": content},
    }
    body = json.dumps(value).encode()
    return RawManifest(media_type=media_types.OCI_INDEX, digest=Digest.of(body), body=body)


@pytest.fixture
async def store(registry: Registry) -> Registry:
    await registry.prepare(REPOSITORY)
    return registry


async def push(registry: Registry, pushed: RawManifest, *tags: str) -> Digest:
    await registry.repository(REPOSITORY, SYSTEM).put_manifest(pushed, tags=tags)
    return pushed.digest


async def decided(database: Database, digest: Digest, *, tag: str | None = None) -> Condemned:
    """What is decided about an artifact as it is now."""
    async with database.transaction() as connection:
        now = await standing_rows.clock(connection)
        standing = (await standing_rows.lock(connection, REPOSITORY, [digest]))[digest]
    latest = max([standing.used_at, *standing.tags.values()])
    tags = tuple(standing.tags)
    return Condemned(digest=digest, tags=tags, used_at=latest, decided_at=now, tag=tag)


async def retired(database: Database, *condemned: Condemned) -> list[str]:
    async with database.transaction() as connection:
        return await retiring.retire(connection, REPOSITORY, condemned, by="eve")


async def count(database: Database, table: str) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM registry.{table}"))  # noqa: S608 - a test's own words


async def test_an_artifact_goes_with_its_tags_and_is_told(
    store: Registry, database: Database
) -> None:
    one = await decided(database, await push(store, manifest("a"), "v1", "latest"))
    before = await count(database, "outbox")
    assert await retired(database, one) == [""]
    assert await count(database, "manifests") == await count(database, "tags") == 0
    assert await count(database, "outbox") == before + 1
    assert await retired(database, one) == [retiring.GONE]
    async with database.connection() as connection:
        (row,) = await connection.fetch(
            "SELECT deleted_by, reason, tags FROM registry.deleted_manifests"
        )
    assert (row["deleted_by"], row["reason"]) == ("eve", "retention")


async def test_a_tag_goes_alone(store: Registry, database: Database) -> None:
    digest = await push(store, manifest("a"), "v1", "v2", "v3")
    await retired(database, await decided(database, digest, tag="v1"))
    # That another tag of it went is no change to the rest.
    assert await retired(database, await decided(database, digest, tag="v2")) == [""]
    assert (await count(database, "manifests"), await count(database, "tags")) == (1, 1)


async def test_what_was_tagged_meanwhile_stays(store: Registry, database: Database) -> None:
    pushed = manifest("a")
    one = await decided(database, await push(store, pushed, "v1"))
    await push(store, pushed, "stable")
    assert await retired(database, one) == ["its tags have changed since it was decided"]
    assert await count(database, "tags") == 2


async def test_what_was_pushed_again_meanwhile_stays_without_a_tag_too(
    store: Registry, database: Database
) -> None:
    child = manifest("child")
    one = await decided(database, await push(store, child))
    await push(store, child)
    assert await retired(database, one) == ["it was used since it was decided"]
    await push(store, manifest("index", child), "v1")
    assert await count(database, "manifests") == 2


async def test_what_was_just_pushed_without_a_tag_waits_for_its_index_for_an_hour(
    store: Registry, database: Database
) -> None:
    one = await decided(database, await push(store, manifest("child")))
    (refusal,) = await retired(database, one)
    assert refusal == "it was pushed within the hour; what names it may be on its way"
    async with database.connection() as connection:
        await connection.execute("UPDATE registry.manifests SET lease_until = now()")
    assert await retired(database, one) == [""]


async def test_a_tag_that_moved_meanwhile_stays(store: Registry, database: Database) -> None:
    one = await decided(database, await push(store, manifest("a"), "v1"), tag="v1")
    await push(store, manifest("b"), "v1")
    assert await retired(database, one) == ["the tag points to something else by now"]
    assert await count(database, "tags") == 1


@pytest.mark.parametrize("table", ["manifests", "tags"])
@pytest.mark.parametrize("tag", [None, "v1"])
async def test_what_was_used_meanwhile_stays(
    store: Registry, database: Database, table: str, tag: str | None
) -> None:
    one = await decided(database, await push(store, manifest("a"), "v1"), tag=tag)
    later = datetime.now(UTC) + timedelta(seconds=1)
    async with database.connection() as connection:
        await connection.execute(f"UPDATE registry.{table} SET last_used_at = $1", later)  # noqa: S608 - a test's own words
    assert await retired(database, one) == ["it was used since it was decided"]
    assert await count(database, "manifests") == 1


async def use(registry: Registry, database: Database, digest: Digest, tag: str = "") -> None:
    """Write down that somebody asked for something, by its tag if one is named."""
    query = "SELECT repository_id, id AS manifest_id FROM registry.manifests WHERE digest = $1"
    async with database.connection() as connection:
        row = await connection.fetchrow(query, stored.encode(digest))
    assert row is not None
    registry.uses.note(Used(**row, tag=tag))
    await steps.merge_uses(database, registry)


@pytest.mark.parametrize("tag", [None, "v1"])
@pytest.mark.parametrize("by_digest", [True, False])
async def test_what_was_used_in_the_minute_before_stays_for_a_use_since_is_not_written_down(
    store: Registry, database: Database, tag: str | None, *, by_digest: bool
) -> None:
    digest = await push(store, manifest("a"), "v1")
    await use(store, database, digest, "v1")
    one = await decided(database, digest, tag=tag)
    await use(store, database, digest, "" if by_digest else "v1")
    assert await retired(database, one) == [
        "it was used in the minute before it was decided, and perhaps since"
    ]


@pytest.mark.parametrize("tag", [None, "v1"])
async def test_what_was_used_earlier_goes_unless_it_was_used_since(
    store: Registry, database: Database, tag: str | None
) -> None:
    digests = [await push(store, manifest(one), one) for one in ("v1", "v2")]
    for digest, one in zip(digests, ("v1", "v2"), strict=True):
        await use(store, database, digest, one)
    async with database.connection() as connection:
        for table in ("manifests", "tags"):
            await connection.execute(
                f"UPDATE registry.{table} SET pushed_at = pushed_at - interval '61 seconds',"  # noqa: S608
                " last_used_at = last_used_at - interval '61 seconds'"
            )
    unused = await decided(database, digests[0], tag=tag)
    used = await decided(database, digests[1], tag=tag and "v2")
    await use(store, database, digests[1], "v2")
    assert await retired(database, unused, used) == ["", "it was used since it was decided"]


async def test_what_somebody_holds_or_pins_stays(store: Registry, database: Database) -> None:
    held = await decided(database, await push(store, manifest("a"), "v1"))
    pinned = await decided(database, await push(store, manifest("b"), "v2"))
    async with database.connection() as connection:
        await connection.execute("UPDATE registry.manifests SET held = id = 1")
        await connection.execute(
            "INSERT INTO registry.pins (manifest_id, owner) VALUES (2, 'scan')"
        )
    assert await retired(database, held, pinned) == ["it is held", "it is pinned by scan"]


async def test_what_an_index_names_stays_and_the_rest_of_the_batch_goes(
    store: Registry, database: Database
) -> None:
    child = manifest("child")
    one = await decided(database, await push(store, child, "v1"))
    other = await decided(database, await push(store, manifest("other"), "v2"))
    parent = await push(store, manifest("parent", child), "index")
    assert await retired(database, one, other) == [f"it is part of {parent}", ""]
    assert await count(database, "tags") == 2


async def test_a_tag_that_became_immutable_meanwhile_stays_unless_a_rule_overrides_it(
    store: Registry, database: Database
) -> None:
    digest = await push(store, manifest("a"), "v1")
    whole, tag = await decided(database, digest), await decided(database, digest, tag="v1")
    rule = ImmutableRule(
        id=0,
        repository=Selector(decoration=Decoration.REPOSITORY_MATCHES, pattern="**"),
        tag=Selector(decoration=Decoration.MATCHES, pattern="v*"),
    )
    async with database.transaction() as connection:
        project = await projects.get(connection, "team")
        rule_id = await immutable_rules.create(connection, project.id, rule)
    assert await retired(database, whole, tag) == [f"tag v1 is immutable by rule {rule_id}"] * 2
    overriding = Condemned(
        digest=digest,
        tags=whole.tags,
        used_at=whole.used_at,
        decided_at=whole.decided_at,
        overrides_immutable=True,
    )
    assert await retired(database, overriding) == [""]
