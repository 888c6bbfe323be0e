"""How much room repositories and projects take, shared or alone."""

from __future__ import annotations

from access import projects
from database.pool import Database
from registry.care import using
from registry.metadata.usage import Usage
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.steps import Client

SHARED, OWN = b"s" * 1000, b"o" * 300


async def push(client: Client, repository: str, tag: str, *layers: bytes) -> int:
    """Push an image with an empty config; return the size of its manifest."""
    for blob in (b"{}", *layers):
        await steps.push_blob(client, blob, repository=repository)
    body = steps.image(b"{}", list(layers), annotations={"tag": tag})
    assert (await steps.put_manifest(client, body, tag, repository)).status == 201
    return len(body)


def named(found: list[Usage], name: str) -> Usage:
    [one] = [usage for usage in found if usage.name == name]
    return one


async def test_what_is_shared_counts_once_and_what_is_alone_is_exclusive(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    async with database.connection() as connection:
        await projects.ensure(connection, name="team", public=False)
    first = await push(client, "library/a", "1", SHARED, OWN)
    again = await push(client, "library/a", "2", SHARED)
    beside = await push(client, "library/b", "1", SHARED)
    apart = await push(client, "team/c", "1", b"c" * 50)
    told = await using.report(database, storage)

    a = named(list(told.repositories), "library/a")
    assert (a.manifests, a.tags) == (2, 2)
    assert a.logical_bytes == first + again + (2 + 1000 + 300) + (2 + 1000)
    assert a.stored_bytes == first + again + 2 + 1000 + 300
    assert a.exclusive_bytes == first + again + 300
    b = named(list(told.repositories), "library/b")
    assert (b.stored_bytes, b.exclusive_bytes) == (beside + 1002, beside)

    library = named(list(told.projects), "library")
    assert (library.repositories, library.manifests, library.tags) == (2, 3, 3)
    assert library.stored_bytes == first + again + beside + 2 + 1000 + 300
    assert library.exclusive_bytes == library.stored_bytes - 2, "the other project has the config"
    team = named(list(told.projects), "team")
    assert (team.exclusive_bytes, team.stored_bytes) == (apart + 50, apart + 52)
    assert [one.name for one in told.repositories] == ["library/a", "library/b", "team/c"]

    assert (told.total.blobs, told.total.blob_bytes) == (4, 2 + 1000 + 300 + 50)
    assert told.total.manifest_bytes == first + again + beside + apart
    assert told.total.unneeded_bytes == told.total.lost_bytes == 0
    assert told.room is not None
    assert 0 < told.room.free_bytes <= told.room.total_bytes


async def test_what_no_manifest_needs_and_what_is_on_its_way_is_told_apart(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    await steps.push_blob(client, OWN)
    place = await steps.begin(client)
    await steps.ask(client, "PATCH", place, b"half")
    for _ in range(2):
        await push(client, "library/a", "1", SHARED)
    async with database.connection() as connection:
        await connection.execute("UPDATE registry.blobs SET lost_at = now() WHERE size_bytes = 300")
    total = (await using.report(database, storage)).total
    assert (total.unneeded_bytes, total.lost_bytes) == (300, 300)
    assert total.upload_bytes == 4
    assert total.removal_bytes == 2 + 1000, "the second push of the same blobs"
    assert total.kept_bytes == 0
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE registry.tombstones SET delete_after = now() + interval '1 day'"
            " WHERE size_bytes = 2"
        )
    assert (await using.report(database, storage)).total.kept_bytes == 2


async def test_one_project_alone_is_shown_with_its_repositories(
    client: Client, database: Database, storage: FilesystemStorage
) -> None:
    async with database.connection() as connection:
        await projects.ensure(connection, name="team", public=False)
        await projects.ensure(connection, name="team2", public=False)
    await push(client, "team/c", "1", OWN)
    await push(client, "team2/c", "1", OWN)
    told = await using.report(database, storage, project="team")
    assert [one.name for one in told.projects] == ["team"]
    assert [one.name for one in told.repositories] == ["team/c"]
