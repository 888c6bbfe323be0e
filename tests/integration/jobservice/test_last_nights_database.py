"""The database of before, after retention and collection have run as jobs: what it still finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.identity import SYSTEM
from database import dumping
from database.pool import Database
from jobservice.collections import COLLECTIONS
from jobservice.domain.collection import FOR_GOOD, CollectionParameters
from jobservice.domain.execution import ExecutionStatus
from jobservice.supervisor import programs
from protocol.descriptor import Descriptor
from registry.care.fault import Fault
from registry.care.verifying import Verification, Wish
from registry.metadata import backups
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.jobservice import images
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.retention_house import REPOSITORY, House, rule

TAGS = ("1.0", "1.1", "1.2")
SHARED = b"a base" * 100
AN_HOUR_LATER = """
UPDATE registry.gc_queue SET review_after = now();
UPDATE registry.repository_blobs SET lease_until = now()
"""


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path)


@pytest.fixture
def house(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, storage: FilesystemStorage
) -> House:
    return House(
        dsn=dsn,
        redis_dsn=valkey_url,
        database=database,
        registry=Registry(database, storage),
        jobs=jobs_at,
    )


def layer(tag: str) -> bytes:
    return f"layer of {tag}".encode() * 100


async def dump(house: House, file: Path) -> int:
    """Dump the database alone; return the major version of PostgreSQL."""
    async with house.database.transaction(isolation="repeatable_read", readonly=True) as connection:
        snapshot = await backups.export_snapshot(connection)
        found = programs.find_clients(snapshot.postgres)
        with file.open("wb") as to:
            await dumping.dump(found, house.dsn, to, snapshot=snapshot.snapshot)
    return snapshot.postgres


async def live_on(house: House, policy: int, *, release_now: bool) -> str:
    """Keep only the newest tag, collect what that leaves, and return what the collection says."""
    async with house.working():
        retained = await house.ended(policy, await house.run(policy))
        assert retained.sum is not None
        assert (retained.sum.deleted, await house.tags()) == (2, ["1.2"])
        if not release_now:  # links, before what only they held
            await collected(house, release_now=False)
        return await collected(house, release_now=release_now)


async def collected(house: House, *, release_now: bool) -> str:
    """Collect an hour later, and return what the run says."""
    async with house.database.connection() as connection:
        await connection.execute(AN_HOUR_LATER)
    asked = CollectionParameters(release_now=release_now).to_json()
    ended = await house.jobs.ended(await COLLECTIONS.begin(house.database, asked, by="admin"))
    assert ended.status is ExecutionStatus.SUCCEEDED
    return ended.status_text


async def read_whole(repository: Registry, tag: str) -> bytes:
    """Read an image's own layer."""
    here = repository.repository(REPOSITORY, SYSTEM)
    await here.read_manifest(tag)
    content = layer(tag)
    wanted = Descriptor(
        media_type="", digest=images.descriptor(content, "").digest, size_bytes=len(content)
    )
    async with here.read_blob(wanted) as chunks:
        return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("release_now", [False, True], ids=["in the window", "released now"])
async def test_what_retention_took_is_found_by_the_database_of_before_or_its_release_was_told(
    house: House, storage: FilesystemStorage, tmp_path: Path, *, release_now: bool
) -> None:
    await house.registry.prepare(REPOSITORY)
    for tag in TAGS:
        await images.push(house.registry.repository(REPOSITORY, SYSTEM), tag, SHARED, layer(tag))
    policy = await house.policy(rule(count=1))
    file = tmp_path / "last-night"
    postgres = await dump(house, file)
    told = await live_on(house, policy, release_now=release_now)
    assert (FOR_GOOD in told) is release_now
    assert ("wait for their window" in told) is not release_now
    await dumping.restore(programs.find_clients(postgres), house.dsn, file, afterwards="")
    database = await Database.connect(house.dsn, application_name="restored", max_size=2)
    try:
        audit = Verification(database, storage, Wish())
        found = [one async for one in audit.run() if one is not None]
        # A config and a layer of each that went; the base is another's, too.
        assert [one.fault for one in found] == [Fault.MISSING] * (4 if release_now else 0)
        assert audit.seen.blobs == 7
        for tag in TAGS[2:] if release_now else TAGS:
            assert await read_whole(Registry(database, storage), tag) == layer(tag)
    finally:
        await database.close()
