"""The job GARBAGE_COLLECTION, carried out by a worker on a real database and storage."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from typing_extensions import override

from access.identity import SYSTEM
from database.pool import Database
from jobservice.collections import COLLECTIONS
from jobservice.domain.collection import VENDOR_TYPE, Account, CollectionParameters, Phase
from jobservice.domain.execution import Execution, ExecutionStatus
from jobservice.domain.task import Task, TaskStatus
from jobservice.jobs.garbage_collection import GarbageCollection
from protocol.digest import Digest
from protocol.errors import NotFound
from registry.service import Registry
from registry.storage.driver import Undeleted
from registry.storage.filesystem import FilesystemStorage
from registry.stored_object import StoredObject
from tests.integration.jobservice import images
from tests.integration.jobservice.conftest import DEADLINE_SECONDS, Jobs, working_at

APP = "library/app"
LAYER = b"a layer" * 1000


class MoodyStorage(FilesystemStorage):
    """Files in a folder. It can refuse to delete, or take its time."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.refuses = False
        self.asked = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    @override
    async def delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        if objects:
            self.asked.set()
            await self.goes_on.wait()
        if self.refuses:
            return [Undeleted(stored=one, words="access denied") for one in objects]
        return await super().delete(objects)


@dataclass(kw_only=True)
class House:
    """This registry and a worker that collects its garbage."""

    database: Database
    registry: Registry
    storage: MoodyStorage
    dsn: str
    valkey_url: str
    jobs: Jobs

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker, inside."""

        def job_types(database: Database) -> dict[str, GarbageCollection]:
            return {VENDOR_TYPE: GarbageCollection(database, Registry(database, self.storage))}

        async with working_at(self.dsn, self.valkey_url, job_types):
            yield

    async def start(
        self,
        *,
        dry_run: bool = False,
        delete_untagged: bool = False,
        release_now: bool = True,
        workers: int = 1,
    ) -> int:
        """Ask for a collection."""
        asked = CollectionParameters(
            dry_run=dry_run,
            delete_untagged=delete_untagged,
            release_now=release_now,
            workers=workers,
        )
        return await COLLECTIONS.begin(self.database, asked.to_json(), by="admin")

    async def collect(self, **asked: bool) -> tuple[Execution, Account]:
        """Carry a collection out and return what it came to."""
        identity = await self.start(**asked)
        async with self.working():
            ended = await self.jobs.ended(identity)
        return ended, await self.account(identity)

    async def task(self, identity: int) -> Task:
        """Return a collection's one task."""
        run = await COLLECTIONS.get(self.database, identity)
        assert run.task is not None
        return run.task

    async def account(self, identity: int) -> Account:
        """Return how far a collection came."""
        return Account.of((await self.task(identity)).checkpoint)

    async def objects(self) -> int:
        """Return how many objects the storage has."""
        return len(await self.storage.objects(after=None, limit=1000))

    async def push(self, repository: str, tag: str | None, *layers: bytes) -> Digest:
        """Push an image."""
        await self.registry.prepare(repository)
        return await images.push(self.registry.repository(repository, SYSTEM), tag, *layers)

    async def delete(self, repository: str, tag: str) -> None:
        """Delete an image, as clients do."""
        store = self.registry.repository(repository, SYSTEM)
        await store.delete_manifest((await store.resolve(tag)).digest)

    async def asked(self) -> None:
        """Return when the storage was asked to delete something."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            await self.storage.asked.wait()

    async def is_there(self, repository: str, reference: str) -> bool:
        """Say whether clients find it."""
        try:
            await self.registry.repository(repository, SYSTEM).resolve(reference)
        except NotFound:
            return False
        return True


@pytest.fixture
def house(database: Database, dsn: str, valkey_url: str, tmp_path: Path) -> House:
    storage = MoodyStorage(tmp_path)
    return House(
        database=database,
        registry=Registry(database, storage),
        storage=storage,
        dsn=dsn,
        valkey_url=valkey_url,
        jobs=Jobs(database=database),
    )


async def test_a_run_that_releases_at_once_frees_what_was_deleted(house: House) -> None:
    await house.push(APP, "old", LAYER)
    await house.push(APP, "new", b"another layer")
    await house.delete(APP, "old")
    ended, account = await house.collect()
    assert ended.status is ExecutionStatus.SUCCEEDED
    assert account.phase is Phase.DONE
    assert (account.blobs, account.objects, account.refused) == (2, 2, 0)
    assert account.freed_bytes == account.collected_bytes > len(LAYER)
    assert await house.objects() == 2
    assert await house.is_there(APP, "new")
    assert f"{account.freed_bytes} bytes freed" in ended.status_text
    log = await COLLECTIONS.log(house.database, ended.id)
    assert "collection_begins" in log
    assert log.count("phase_begins") == 3


async def test_what_was_just_deleted_keeps_its_bytes_otherwise(house: House) -> None:
    await house.push(APP, "old", LAYER)
    await house.delete(APP, "old")
    ended, account = await house.collect(release_now=False)
    assert ended.status is ExecutionStatus.SUCCEEDED
    assert (account.objects, account.freed_bytes) == (0, 0)
    assert await house.objects() == 2
    assert account.reclaimable is not None
    assert account.reclaimable["unreviewed"]["objects"] == 2


async def test_what_is_in_use_stays_however_much_is_asked_for(house: House) -> None:
    await house.push(APP, "1.0", LAYER)
    await house.push("library/other", "1.0", LAYER)
    await house.delete("library/other", "1.0")
    _, account = await house.collect(delete_untagged=True)
    assert await house.is_there(APP, "1.0")
    assert (account.blobs, account.links, account.manifests) == (0, 2, 0)
    assert await house.objects() == 2


async def test_untagged_manifests_go_in_a_run_that_says_so_and_in_no_other(house: House) -> None:
    untagged = str(await house.push(APP, None, LAYER))
    await house.push(APP, "1.0", b"kept")
    async with house.database.connection() as connection:
        await connection.execute(
            "UPDATE registry.manifests SET pushed_at = now() - interval '1 day',"
            " lease_until = now() - interval '1 day'"
        )
    _, account = await house.collect()
    assert account.manifests == 0
    assert await house.is_there(APP, untagged)
    _, account = await house.collect(delete_untagged=True)
    assert account.manifests == 1
    assert not await house.is_there(APP, untagged)
    assert await house.is_there(APP, "1.0")
    assert await house.objects() == 2


async def test_a_dry_run_tells_what_would_go_and_writes_nothing(house: House) -> None:
    await house.push(APP, "old", LAYER)
    await house.delete(APP, "old")
    foretold, dry = await house.collect(dry_run=True)
    assert await house.objects() == 2
    _, real = await house.collect()
    assert (dry.manifests, dry.blobs, dry.collected_bytes) == (
        real.manifests,
        real.blobs,
        real.collected_bytes,
    )
    assert dry.objects == dry.freed_bytes == 0
    assert "would go" in foretold.status_text


async def test_a_storage_that_refuses_makes_the_run_fail_after_all_else_was_done(
    house: House,
) -> None:
    await house.push(APP, "old", LAYER)
    await house.delete(APP, "old")
    house.storage.refuses = True
    ended, account = await house.collect()
    assert ended.status is ExecutionStatus.FAILED
    task = await house.task(ended.id)
    assert task.error is not None
    assert task.attempt == 1
    assert "would not delete 2 objects" in task.error.message
    assert "access denied" in task.error.message
    assert (account.phase, account.blobs, account.refused) == (Phase.DONE, 2, 2)
    assert account.reclaimable is not None
    assert account.reclaimable["failed"]["objects"] == 2
    assert await house.objects() == 2


async def test_a_stop_takes_hold_in_the_middle_and_what_was_done_is_told(house: House) -> None:
    await house.push(APP, "old", LAYER)
    await house.delete(APP, "old")
    house.storage.goes_on.clear()
    identity = await house.start()
    async with house.working():
        await house.asked()
        await COLLECTIONS.stop(house.database, identity, by="admin")
        ended = await house.jobs.ended(identity)
    assert ended.status is ExecutionStatus.STOPPED
    account = await house.account(identity)
    assert (account.phase, account.blobs, account.objects) == (Phase.SWEEP, 2, 0)


async def test_a_run_goes_on_where_its_worker_left_it(house: House) -> None:
    await house.push(APP, "old", LAYER)
    await house.delete(APP, "old")
    house.storage.goes_on.clear()
    identity = await house.start()
    async with house.working():
        await house.asked()
    assert (await house.task(identity)).status in {TaskStatus.PENDING, TaskStatus.QUEUED}
    house.storage.goes_on.set()
    async with house.database.connection() as connection:
        await connection.execute("UPDATE registry.tombstones SET delete_after = now()")
    async with house.working():
        ended = await house.jobs.ended(identity)
    assert ended.status is ExecutionStatus.SUCCEEDED
    account = await house.account(identity)
    assert (account.blobs, account.objects) == (2, 2)
    assert await house.objects() == 0


async def test_two_runs_of_ten_workers_free_everything_once(house: House) -> None:
    for number in range(20):
        await house.push(APP, str(number), b"%d" % number * 1000)
        await house.delete(APP, str(number))
    first, second = [await house.start(workers=10) for _ in range(2)]
    async with house.working():
        for identity in (first, second):
            assert (await house.jobs.ended(identity)).status is ExecutionStatus.SUCCEEDED
    accounts = [await house.account(identity) for identity in (first, second)]
    assert sum(account.blobs for account in accounts) == 40
    assert sum(account.objects for account in accounts) == 40
    assert await house.objects() == 0


async def test_a_registry_that_becomes_read_only_ends_the_run_with_a_sentence(
    house: House,
) -> None:
    await house.push(APP, "old", LAYER)
    await house.delete(APP, "old")
    identity = await house.start()
    await house.registry.set_read_only(on=True)
    async with house.working():
        ended = await house.jobs.ended(identity)
    assert ended.status is ExecutionStatus.FAILED
    error = (await house.task(identity)).error
    assert error is not None
    assert "this registry is read-only" in error.message
    assert await house.objects() == 2
