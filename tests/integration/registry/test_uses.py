"""When content was used and how often it was pulled, as the database knows it after a merge."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from access.identity import SYSTEM
from database.errors import DatabaseUnavailable
from database.pool import Connection, Database
from registry import events, maintenance
from registry.events import Action
from registry.metadata import outbox
from registry.service import Registry
from registry.uses import UseBuffer, Used
from tests.integration.registry import steps
from tests.integration.registry.conftest import Client
from tests.integration.registry.steps import ask
from tests.integration.registry.test_database_away import end_who_waits, locked

MANIFESTS = f"/v2/{steps.REPOSITORY}/manifests"
pytestmark = pytest.mark.usefixtures("image")
STATISTICS = """
SELECT r.pull_count AS repository, m.pull_count AS manifest, t.pull_count AS tag,
       m.pulled_at IS NOT NULL AS pulled, t.last_used_at IS NOT NULL AS used
FROM registry.tags t JOIN registry.manifests m ON m.id = t.manifest_id
JOIN registry.repositories r ON r.id = m.repository_id WHERE t.name = '1.0'
"""


@pytest.fixture
async def image(client: Client, registry: Registry) -> bytes:
    await registry.prepare(steps.REPOSITORY)
    return await steps.push_image(client, "1.0")


@pytest.fixture
def statistics(database: Database, registry: Registry) -> Any:
    """Returns what is known of the tag 1.0 after a merge."""

    async def read() -> dict[str, Any]:
        await steps.merge_uses(database, registry)
        async with database.connection() as connection:
            row = await connection.fetchrow(STATISTICS)
        assert row is not None
        return dict(row)

    return read


async def test_a_get_is_a_pull_of_the_repository_the_artifact_and_the_tag(
    client: Client, image: bytes, statistics: Any
) -> None:
    for _ in range(3):
        await ask(client, "GET", f"{MANIFESTS}/1.0")
    counts = {"repository": 3, "manifest": 3, "tag": 3, "pulled": True, "used": True}
    assert await statistics() == counts
    await ask(client, "GET", f"{MANIFESTS}/{steps.digest(image)}")
    assert await statistics() == {**counts, "repository": 4, "manifest": 4}


async def test_a_head_counts_as_use_and_is_no_pull(client: Client, statistics: Any) -> None:
    await ask(client, "HEAD", f"{MANIFESTS}/1.0")
    assert await statistics() == {
        "repository": 0,
        "manifest": 0,
        "tag": 0,
        "pulled": False,
        "used": True,
    }


async def test_a_manifest_that_the_client_has_already_is_used_and_not_pulled(
    client: Client, image: bytes, statistics: Any
) -> None:
    known = f'"{steps.digest(image)}"'
    answer = await ask(client, "GET", f"{MANIFESTS}/1.0", If_None_Match=known)
    found = await statistics()
    assert (answer.status, found["tag"], found["used"]) == (304, 0, True)


@pytest.mark.parametrize("agent", ["harbor-registry-client", "transship", "Trivy/0.57.1"])
async def test_scanners_and_replication_use_nothing(
    client: Client, statistics: Any, agent: str
) -> None:
    for method in ("GET", "HEAD"):
        await ask(client, method, f"{MANIFESTS}/1.0", User_Agent=agent)
    found = await statistics()
    assert (found["repository"], found["used"]) == (0, False)


async def test_what_this_installation_reads_of_itself_is_no_use(
    registry: Registry, statistics: Any
) -> None:
    repository = registry.repository(steps.REPOSITORY, SYSTEM)
    await repository.read_manifest("1.0")
    await repository.resolve("1.0")
    found = await statistics()
    assert (found["repository"], found["used"]) == (0, False)


async def test_merges_of_many_processes_lose_no_pull(
    client: Client, database: Database, image: bytes
) -> None:
    tags = [f"t{number}" for number in range(5)]
    for tag in tags:
        await steps.put_manifest(client, image, tag)
    async with database.connection() as connection:
        row = await connection.fetchrow("SELECT id, repository_id FROM registry.manifests")
    assert row is not None

    async def nobody(_connection: Connection) -> tuple[int, ...]:
        return ()

    async def process(turn: int) -> None:
        buffer = UseBuffer()
        for tag in tags[turn:] + tags[:turn]:
            used = Used(repository_id=row["repository_id"], manifest_id=row["id"], tag=tag)
            buffer.pulled(used, by="ci")
        await maintenance.merge_uses(database, buffer, nobody)

    async with asyncio.TaskGroup() as group:
        for turn in range(5):
            group.create_task(process(turn))
    query = "SELECT sum(pull_count) FROM registry.tags WHERE name = ANY($1)"
    async with database.connection() as connection:
        assert await connection.fetchval(query, tags) == 25
        assert await connection.fetchval("SELECT pull_count FROM registry.manifests") == 25


async def test_what_cannot_be_written_is_written_later(
    client: Client, database: Database, dsn: str, registry: Registry, statistics: Any
) -> None:
    await ask(client, "GET", f"{MANIFESTS}/1.0")
    async with locked(dsn, "registry.manifests") as holder, asyncio.TaskGroup() as group:
        merging = group.create_task(failing_merge(database, registry))
        await end_who_waits(holder)
        await merging
    await ask(client, "GET", f"{MANIFESTS}/1.0")
    found = await statistics()
    assert (found["repository"], found["manifest"], found["tag"]) == (2, 2, 2)


async def failing_merge(database: Database, registry: Registry) -> None:
    with pytest.raises(DatabaseUnavailable):
        await steps.merge_uses(database, registry)


async def test_a_pull_of_what_was_deleted_meanwhile_is_forgotten(
    client: Client, database: Database, registry: Registry, image: bytes
) -> None:
    await ask(client, "GET", f"{MANIFESTS}/1.0")
    await ask(client, "DELETE", f"{MANIFESTS}/{steps.digest(image)}")
    await steps.merge_uses(database, registry, None)
    assert [one.action for one in await told(database)] == [Action.PUSH, Action.DELETE]


async def told(database: Database) -> list[events.Event]:
    async with database.transaction() as connection:
        rows = await outbox.take(connection, limit=100)
        await outbox.delete(connection, rows)
    return [events.Event.from_json(row.facts) for row in rows]


async def test_pulls_are_told_one_by_one_to_whom_wants_to_hear_of_them(
    client: Client, database: Database, registry: Registry, image: bytes
) -> None:
    (push,) = await told(database)
    await steps.merge_uses(database, registry, [push.project_id])
    for reference in ("1.0", "1.0", steps.digest(image)):
        await ask(client, "GET", f"{MANIFESTS}/{reference}")
    await ask(client, "HEAD", f"{MANIFESTS}/1.0")
    await steps.merge_uses(database, registry, [push.project_id])
    pulls = await told(database)
    assert [one.tags for one in pulls] == [("1.0",), ("1.0",), ()]
    assert {(one.action, one.by, one.digest) for one in pulls} == {
        (Action.PULL, "admin", steps.digest(image))
    }


@pytest.mark.parametrize("projects", [(), (0,)])
async def test_pulls_that_nobody_wants_to_hear_of_are_not_written_one_by_one(
    client: Client, database: Database, registry: Registry, projects: tuple[int, ...]
) -> None:
    await told(database)
    await ask(client, "GET", f"{MANIFESTS}/1.0")
    await steps.merge_uses(database, registry, projects)
    assert await told(database) == []
