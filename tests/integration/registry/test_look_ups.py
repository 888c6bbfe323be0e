"""Manifests that many ask for at once are looked up together, each answer its asker's own."""

from __future__ import annotations

import asyncio
import json

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest
from registry.look_ups import AT_ONCE, LARGEST_TURN, LookUps
from registry.metadata.manifests import Wanted
from registry.service import Registry
from tests.fakes.together import together
from tests.integration.registry.steps import REPOSITORY

OTHER = "library/other"
LOCK = "LOCK TABLE registry.repositories IN ACCESS EXCLUSIVE MODE"


async def push(registry: Registry, repository: str, tag: str) -> Wanted:
    """Push an index of its own under a tag and return what asks for it."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [],
        "annotations": {"name": f"{repository}:{tag}"},
    }
    body = json.dumps(document).encode()
    raw = RawManifest(media_type=media_types.OCI_INDEX, digest=Digest.of(body), body=body)
    await registry.repository(repository, SYSTEM).write_manifest(raw, tag=tag)
    return Wanted(repository, tag)


@pytest.mark.parametrize("with_body", [True, False])
async def test_everybody_gets_what_they_asked_for(
    registry: Registry, database: Database, *, with_body: bool
) -> None:
    tags = [await push(registry, REPOSITORY, f"t{number}") for number in range(4)]
    tags.append(await push(registry, OTHER, "t0"))
    look_ups = LookUps(database)
    alone = {wanted: await look_ups.find(wanted, with_body=with_body) for wanted in tags}
    known = {Wanted(it.repository, found.digest): found for it, found in alone.items() if found}
    absent = [Wanted(OTHER, "t1"), Wanted("library/none", "t0"), Wanted(OTHER, Digest.of(b""))]
    expected = alone | known | dict.fromkeys(absent)
    assert len(known) == len({found.id for found in known.values()}) == len(tags)
    assert all((found.body is not None) is with_body for found in known.values())
    asked = [*expected] * (LARGEST_TURN // 4)
    found = await together(*(look_ups.find(it, with_body=with_body) for it in asked))
    assert found == [expected[wanted] for wanted in asked]


async def test_who_waits_is_answered_by_what_is_there_then_whoever_hung_up_before(
    registry: Registry, database: Database
) -> None:
    wanted = [await push(registry, REPOSITORY, f"t{number}") for number in range(LARGEST_TURN + 1)]
    look_ups = LookUps(database)

    def ask(one: Wanted) -> asyncio.Task[object]:
        return asyncio.create_task(look_ups.find(one, with_body=False))

    async with asyncio.timeout(60):
        async with database.transaction() as connection:
            await connection.execute(LOCK)
            first = [ask(wanted[0]) for _ in range(AT_ONCE)]
            await asyncio.sleep(0)
            rest = [ask(one) for one in (*wanted, Wanted(REPOSITORY, "later"))]
            await asyncio.sleep(0)
            first[0].cancel()
            rest[0].cancel()
            await connection.execute(
                "UPDATE registry.tags SET name = 'later' WHERE name = $1", wanted[1].reference
            )
        await asyncio.wait([*first, *rest])
    assert [task.cancelled() for task in (*first, *rest[:2])] == [True, False, True, False]
    assert rest[1].result() is None
    assert all(task.result() for task in rest[2:])
