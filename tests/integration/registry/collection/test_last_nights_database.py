"""The database of before on the storage of now: what was collected since is still there."""

from __future__ import annotations

from pathlib import Path

import pytest

from access.identity import SYSTEM
from database import dumping
from database.pool import Database
from jobservice.supervisor import programs
from protocol.digest import Digest
from registry.care.fault import Fault
from registry.care.verifying import Verification, Wish
from registry.collection import sweeping
from registry.metadata import backups
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry import steps
from tests.integration.registry.collection.conftest import REPOSITORY, Yard


async def dump(yard: Yard, dsn: str, file: Path) -> int:
    """Dump the database alone; return the major version of PostgreSQL."""
    async with yard.database.transaction(isolation="repeatable_read", readonly=True) as connection:
        snapshot = await backups.export_snapshot(connection)
        found = programs.find_clients(snapshot.postgres)
        with file.open("wb") as to:
            await dumping.dump(found, dsn, to, snapshot=snapshot.snapshot)
    return snapshot.postgres


async def fill(yard: Yard) -> list[bytes]:
    """Push two images and an index; return their manifests."""
    images = [await yard.image(name, name) for name in ("one", "two")]
    child = await yard.image("child")
    index = steps.index([child])
    await yard.put(index, "all")
    return [*images, child, index]


async def live_on(yard: Yard, storage: FilesystemStorage, *, release_now: bool) -> None:
    """Delete some of what is there, push something else, and collect what that leaves."""
    for tag in ("one", "all"):
        await yard.repository.delete_manifest((await yard.repository.resolve(tag)).digest)
    await yard.image("new", "two", "new")
    reviewed = await yard.collect()
    assert (reviewed.manifests, reviewed.blobs) == (1, 4)
    swept = await sweeping.sweep(yard.database, storage, release_now=release_now)
    assert swept.objects == (4 if release_now else 0)


@pytest.mark.parametrize(("release_now", "holes"), [(False, 0), (True, 4)], ids=["kept", "gone"])
async def test_the_database_of_before_finds_all_its_bytes_within_the_window(
    *,
    yard: Yard,
    dsn: str,
    storage: FilesystemStorage,
    tmp_path: Path,
    release_now: bool,
    holes: int,
) -> None:
    manifests = await fill(yard)
    file = tmp_path / "last-night"
    postgres = await dump(yard, dsn, file)
    await live_on(yard, storage, release_now=release_now)
    await dumping.restore(programs.find_clients(postgres), dsn, file, afterwards="")
    database = await Database.connect(dsn, application_name="restored", max_size=2)
    try:
        audit = Verification(database, storage, Wish())
        found = [one async for one in audit.run() if one is not None]
        assert [one.fault for one in found] == [Fault.MISSING] * holes
        assert audit.seen.blobs == 6
        repository = Registry(database, storage).repository(REPOSITORY, SYSTEM)
        for body in manifests:
            raw = await repository.read_manifest(str(Digest.of(body)))
            assert raw.body == body
    finally:
        await database.close()
