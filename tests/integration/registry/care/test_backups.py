"""Backups while everything serves, and what comes back from them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from database import migrations
from database.pool import Database
from jobservice import restoring
from jobservice.errors import NotEmpty, StillRunning
from jobservice.restoring import Target
from jobservice.supervisor import embedded_postgres, programs
from registry.care import backup_place
from registry.care.backup_place import BackupPlace
from registry.care.errors import BackupInUse, BackupLapsed, BrokenBackup, NoBackup, NotRestorable
from registry.metadata import backups as backup_rows
from registry.storage.driver import Storage
from registry.storage.filesystem import FilesystemStorage
from tests.integration.registry.care import backups
from tests.integration.registry.care.backups import Place


@pytest.fixture
def place(dsn: str, database: Database, storage: FilesystemStorage) -> Place:
    return Place(dsn=dsn, database=database, storage=storage)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
async def empty_dsn(postgres: embedded_postgres.EmbeddedPostgres) -> AsyncIterator[str]:
    """URL of a database in which nothing is, not even a schema."""
    name = f"empty_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    await connection.execute(f'CREATE DATABASE "{name}"')
    yield postgres.dsn(name)
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


@contextlib.asynccontextmanager
async def restored(folder: Path, dsn: str, storage: Storage) -> AsyncIterator[Place]:
    await backups.restore(folder, dsn, storage)
    database = await Database.connect(dsn, application_name="restored", max_size=2)
    yield Place(dsn=dsn, database=database, storage=storage)
    await database.close()


async def test_what_was_deleted_after_a_backup_comes_back_whole(place: Place, folder: Path) -> None:
    kept, lost = await place.push("team/kept", "1"), await place.push("team/lost", "1")
    await backups.back_up(place, folder)
    late = await place.push("team/late", "1")
    await place.delete(lost)
    assert await place.sweep() > 0
    async with restored(folder, place.dsn, place.storage) as again:
        assert await again.holes() == []
        await again.verify(kept)
        await again.verify(lost)
        assert "team/late" not in await names(again)
    assert late.repository == "team/late"


async def names(place: Place) -> set[str]:
    async with place.database.connection() as connection:
        rows = await connection.fetch("SELECT name FROM registry.repositories")
    return {row["name"] for row in rows}


async def test_a_backup_is_restored_into_an_empty_database_and_another_storage(
    place: Place, folder: Path, empty_dsn: str, tmp_path: Path
) -> None:
    built = await place.push("team/app", "1")
    before = await backups.rows_of(place.dsn)
    saved = await backups.back_up(place, folder)
    assert saved.copied == saved.objects > 0
    async with restored(folder, empty_dsn, FilesystemStorage(tmp_path / "other")) as again:
        assert await again.holes() == []
        await again.verify(built)
    after = await backups.rows_of(empty_dsn)
    assert {name: count for name, count in before.items() if name not in backup_rows.TRANSIENT} == {
        name: count for name, count in after.items() if name not in backup_rows.TRANSIENT
    }


async def test_what_is_deleted_while_a_backup_runs_is_in_it(
    place: Place, folder: Path, empty_dsn: str, tmp_path: Path
) -> None:
    built = await place.push("team/app", "1")

    async def meanwhile() -> None:
        await place.delete(built)
        assert await place.sweep() == 0

    saved = await backups.back_up(place, folder, meanwhile)
    assert saved.holes == {}
    async with restored(folder, empty_dsn, FilesystemStorage(tmp_path / "other")) as again:
        assert await again.holes() == []
        await again.verify(built)
    assert await place.sweep() > 0


async def test_pushes_and_deletes_go_on_while_backups_are_made(
    place: Place, folder: Path, empty_dsn: str, tmp_path: Path
) -> None:
    stop = asyncio.Event()

    async def bustle() -> None:
        number = 0
        while not stop.is_set():
            built = await place.push(f"team/app-{number % 5}", str(number))
            await place.sweep()
            await place.delete(built)
            number += 1

    kept = await place.push("team/kept", "1")
    async with asyncio.TaskGroup() as group:
        group.create_task(bustle())
        for _ in range(4):
            saved = await backups.back_up(place, folder)
            assert saved.holes == {}
        stop.set()
    async with restored(folder, empty_dsn, FilesystemStorage(tmp_path / "other")) as again:
        assert await again.holes() == []
        await again.verify(kept)


async def test_the_next_backup_copies_only_what_is_new(place: Place, folder: Path) -> None:
    await place.push("team/app", "1")
    first = await backups.back_up(place, folder)
    await place.push("team/app", "2")
    second = await backups.back_up(place, folder)
    assert second.there == first.objects
    assert second.copied == second.objects - first.objects > 0
    assert len(BackupPlace(folder).finished()) == 2


async def test_a_backup_on_the_same_file_system_is_linked(place: Place, folder: Path) -> None:
    await place.push("team/app", "1")
    backup = place.backup(folder, links=True)
    await backup.run(backups.nothing)
    assert (backup.saved.linked, backup.saved.copied) == (backup.saved.objects, 0)
    objects = [path for path in folder.glob("objects/*/*") if path.is_file()]
    assert {path.stat().st_nlink for path in objects} == {2}


async def test_old_backups_go_with_what_they_alone_named(place: Place, folder: Path) -> None:
    gone = await place.push("team/gone", "1")
    await backups.back_up(place, folder)
    await place.delete(gone)
    await place.push("team/app", "2")
    backup = place.backup(folder, keep=1)
    await backup.run(backups.nothing)
    assert len(BackupPlace(folder).finished()) == 1
    left = {path.name for path in folder.glob("objects/*/*")}
    listed = backup_place.objects(BackupPlace(folder).open(None)[0] / backup_place.OBJECTS)
    assert left == {found.key.hex for found in listed}


class Died(BaseException):
    """The process is gone: nobody handles this."""


async def test_a_backup_that_died_is_refused_and_the_next_goes_on_with_its_objects(
    place: Place, folder: Path
) -> None:
    await place.push("team/app", "1")
    backup = place.backup(folder)

    def dies() -> None:
        if backup.saved.copied == 2:
            raise Died

    with pytest.raises(BaseExceptionGroup):
        await backup.run(dies)
    with pytest.raises(NoBackup, match="unfinished: 1"):
        BackupPlace(folder).open(None)
    saved = await backups.back_up(place, folder)
    assert saved.there >= 2
    assert saved.there + saved.copied == saved.objects
    assert len(list(folder.glob("2*"))) == 1


async def test_two_backups_into_one_place_take_turns(place: Place, folder: Path) -> None:
    async def meanwhile() -> None:
        with pytest.raises(BackupInUse):
            await backups.back_up(place, folder)

    await backups.back_up(place, folder, meanwhile)


async def test_a_backup_that_could_not_hold_objects_back_does_not_count(
    place: Place, folder: Path
) -> None:
    async def meanwhile() -> None:
        async with place.database.connection() as connection:
            await connection.execute("UPDATE registry.backups SET lease_until = now()")

    await place.push("team/app", "1")
    with pytest.raises(BaseExceptionGroup) as caught:
        await backups.back_up(place, folder, meanwhile)
    assert caught.group_contains(BackupLapsed)
    assert BackupPlace(folder).finished() == []


async def test_a_dead_backup_holds_nothing_back_for_long(place: Place, folder: Path) -> None:
    built = await place.push("team/app", "1")
    async with place.database.connection() as connection:
        await backup_rows.begin(connection, uuid.uuid4(), destination=str(folder))
    await place.delete(built)
    assert await place.sweep() == 0
    async with place.database.connection() as connection:
        await connection.execute("UPDATE registry.backups SET lease_until = now()")
    assert await place.sweep() > 0


async def test_what_the_storage_has_lost_is_listed(
    place: Place, folder: Path, storage: FilesystemStorage
) -> None:
    await place.push("team/app", "1")
    async with place.database.connection() as connection:
        rows = await connection.fetch("SELECT storage_key FROM registry.blobs ORDER BY id")
    storage.path(rows[0]["storage_key"]).unlink()
    damaged = storage.path(rows[1]["storage_key"])
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    saved = await backups.back_up(place, folder)
    reasons = sorted(saved.holes.values())
    assert len(reasons) == 2
    assert "not in the storage" in reasons[0] + reasons[1]
    assert backups.manifest_of(folder).holes == saved.holes
    with pytest.raises(BrokenBackup, match="2 objects are missing"):
        await backups.restore(folder, place.dsn, FilesystemStorage(folder.parent / "other"))


async def test_a_damaged_backup_is_refused_before_anything_changes(
    place: Place, folder: Path
) -> None:
    await place.push("team/app", "1")
    await backups.back_up(place, folder)
    dump = BackupPlace(folder).open(None)[0] / backup_place.DATABASE
    dump.write_bytes(dump.read_bytes()[:-1])
    with pytest.raises(BrokenBackup, match="sha256"):
        await backups.restore(folder, place.dsn, place.storage)


async def test_a_damaged_object_never_gets_into_a_storage(
    place: Place, folder: Path, tmp_path: Path
) -> None:
    await place.push("team/app", "1")
    await backups.back_up(place, folder)
    damaged = next(folder.glob("objects/*/*"))
    damaged.write_bytes(b"x" * damaged.stat().st_size)
    other = FilesystemStorage(tmp_path / "other")
    with pytest.raises(BaseExceptionGroup) as caught:
        await backups.restore(folder, place.dsn, other)
    assert caught.group_contains(BrokenBackup)
    assert not other.path(uuid.UUID(hex=damaged.name)).exists()


async def test_a_restore_that_fails_leaves_the_database_as_it_was(
    place: Place, folder: Path
) -> None:
    built = await place.push("team/app", "1")
    await backups.back_up(place, folder)
    at, manifest = BackupPlace(folder).open(None)
    dump = at / backup_place.DATABASE
    content = dump.read_bytes()
    dump.write_bytes(content[: len(content) * 3 // 4])
    document = json.loads(manifest.to_json())
    document["files"][dump.name] = {
        "size_bytes": backup_place.facts(dump).size_bytes,
        "sha256": backup_place.facts(dump).sha256,
    }
    (at / backup_place.MANIFEST).write_text(json.dumps(document))
    with pytest.raises(Exception, match="pg_restore ended with"):
        await backups.restore(folder, place.dsn, place.storage)
    await place.verify(built)


async def test_a_restore_wants_an_empty_installation_that_is_stopped(
    place: Place, folder: Path, empty_dsn: str
) -> None:
    await place.push("team/app", "1")
    await backups.back_up(place, folder)
    manifest = backups.manifest_of(folder)
    occupied = Target(dsn=place.dsn, clients=programs.find_clients)
    with pytest.raises(StillRunning, match="transship-test"):
        await restoring.check(occupied, manifest)
    await place.database.close()
    with pytest.raises(NotEmpty, match="1 repositories"):
        await restoring.check(occupied, manifest)
    await restoring.check(
        Target(dsn=place.dsn, clients=programs.find_clients, replace=True), manifest
    )
    empty = Target(dsn=empty_dsn, clients=programs.find_clients)
    await restoring.check(empty, manifest)
    await migrations.apply(empty_dsn)
    await restoring.check(empty, manifest)


async def test_a_backup_of_a_newer_version_is_refused(
    place: Place, folder: Path, empty_dsn: str
) -> None:
    await backups.back_up(place, folder)
    at, manifest = BackupPlace(folder).open(None)
    document = json.loads(manifest.to_json()) | {"migration": 9999}
    (at / backup_place.MANIFEST).write_text(json.dumps(document))
    with pytest.raises(NotRestorable, match="migration 9999"):
        await restoring.check(
            Target(dsn=empty_dsn, clients=programs.find_clients), backups.manifest_of(folder)
        )


OLDER = 15


async def test_a_backup_of_an_older_version_is_migrated(
    folder: Path, empty_dsn: str, dsn: str, storage: FilesystemStorage
) -> None:
    connection = await asyncpg.connect(empty_dsn)
    await connection.execute(migrations.BOOTSTRAP)
    for file in migrations.known():
        if file.number <= OLDER:
            await connection.execute(file.sql)
            await connection.execute(migrations.RECORD, file.number, file.name, file.checksum)
    await connection.close()
    database = await Database.connect(empty_dsn, application_name="older", max_size=2)
    await backups.back_up(Place(dsn=empty_dsn, database=database, storage=storage), folder)
    await database.close()
    assert backups.manifest_of(folder).migration == OLDER
    await backups.restore(folder, dsn, storage)
    assert await migrations.pending(dsn) == []
    newer = [file for file in migrations.known() if file.number > OLDER]
    assert (await backups.rows_of(dsn))["database.migrations"] == OLDER + len(newer)
