"""A collection that dies anywhere loses nothing and goes on; counters are what they count."""

from __future__ import annotations

import random

import pytest

from database.pool import Connection
from protocol.digest import Digest
from registry.collection import reviewing, sweeping
from registry.collection.reviewing import Scope
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import Yard, digests_of, parts
from tests.integration.registry.collection.holding import Died

COUNTERS = """
SELECT name, count FROM registry.collected ORDER BY name
"""
SUMS = """
SELECT (SELECT count(*) FROM registry.tombstones WHERE reason = 'collected') AS blobs,
       (SELECT coalesce(sum(size_bytes), 0) FROM registry.tombstones
        WHERE reason = 'collected')::bigint AS blob_bytes,
       (SELECT count(*) FROM registry.deleted_manifests
        WHERE deleted_by = 'garbage collection') AS manifests
"""


class Dying:
    """Dies at the nth commit."""

    def __init__(self, commits: int) -> None:
        # A check is asked when a connection is lent, and before its transaction commits.
        self._left = 2 * commits

    async def __call__(self, _connection: Connection) -> None:
        self._left -= 1
        if self._left == 0:
            raise Died


async def everything(yard: Yard) -> list[object]:
    return [
        await yard.values(f"SELECT count(*) FROM registry.{table}")  # noqa: S608 names of tables
        for table in ("manifests", "repository_blobs", "blobs", "tombstones", "deleted_manifests")
    ]


@pytest.mark.parametrize("commits", [1, 2, 3])
async def test_a_review_that_dies_before_it_commits_has_done_nothing_of_its_batch(
    yard: Yard, commits: int
) -> None:
    child = await yard.image("child")
    await yard.put(steps.index([child]), "all")
    await yard.repository.delete_manifest(Digest.of(steps.index([child])))
    await yard.blob(b"upload")
    await yard.age()
    before = await everything(yard)
    with pytest.raises(Died):
        await reviewing.review(yard.database.checked(Dying(commits)), Scope(ignore_delay=True))
    if commits == 1:
        assert await everything(yard) == before
    await yard.collect()
    assert (await yard.manifests(), await yard.blobs()) == (set(), set())


@pytest.mark.parametrize("commits", [1, 2, 3])
async def test_a_sweep_that_dies_between_its_steps_is_gone_on_with(
    yard: Yard, commits: int
) -> None:
    await yard.blob(b"upload")
    await yard.collect()
    with pytest.raises(Died):
        await sweeping.sweep(yard.database.checked(Dying(commits)), yard.storage, release_now=True)
    await yard.execute("UPDATE registry.tombstones SET delete_after = now()")
    assert (await sweeping.sweep(yard.database, yard.storage)).objects == 1
    assert await yard.storage.objects(after=None, limit=10) == []


@pytest.mark.parametrize("seed", range(3))
async def test_when_all_is_quiet_what_is_referenced_is_there_and_counters_are_sums(
    yard: Yard, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311  a test's
    images: dict[str, list[bytes]] = {}
    for step in range(12):
        if images and chance.random() < 0.4:
            gone = chance.choice(sorted(images))
            del images[gone]
            await yard.repository.delete_manifest(Digest.parse(gone))
        else:
            contents = [parts(str(step))[0], b"layer %d" % chance.randrange(4)]
            for content in contents:
                await yard.blob(content)
            body = steps.image(contents[0], contents[1:])
            images[str(await yard.put(body, f"v{step}"))] = contents
        if chance.random() < 0.3:
            await yard.collect()
    await yard.collect()
    assert await yard.manifests() == set(images)
    assert await yard.blobs() == digests_of([one for all_ in images.values() for one in all_])
    async with yard.database.connection() as connection:
        counters = {row["name"]: row["count"] for row in await connection.fetch(COUNTERS)}
        sums = await connection.fetchrow(SUMS)
    assert sums is not None
    assert {name: counters[name] for name in sums.keys()} == dict(sums)  # noqa: SIM118 a record's
