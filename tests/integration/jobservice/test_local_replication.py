"""Policies into this registry, carried out by a worker: no HTTP on our side, nothing half done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from access import projects
from access.identity import SYSTEM
from database import sealing
from database.pool import Database
from database.sealing import Keyring
from jobservice.connecting import LOCAL_ENDPOINT, Connector
from jobservice.domain.endpoint import LOCAL_ID
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint
from jobservice.domain.task import TaskStatus
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.errors import NotFound
from protocol.transport import Transport
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules
from registry.selecting import Decoration, Selector
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from replication.policy import ReplicationPolicy
from tests.fakes.registry.server import FakeRegistry
from tests.fakes.small_storage import Room, SmallStorage
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.test_replication import House

LOCAL = SnapshotEndpoint(
    endpoint_id=LOCAL_ID,
    kind=LOCAL_ENDPOINT.kind,
    url=LOCAL_ENDPOINT.url,
    name=LOCAL_ENDPOINT.name,
    insecure=False,
)


@pytest.fixture
def room() -> Room:
    return Room(left_bytes=100_000)


@pytest.fixture
def storage(tmp_path: Path, room: Room) -> FilesystemStorage:
    return SmallStorage(tmp_path, room)


@pytest.fixture
def registry(jobs_at: Jobs, storage: FilesystemStorage) -> Registry:
    return Registry(jobs_at.database, storage)


@pytest.fixture
async def house(
    dsn: str, valkey_url: str, jobs_at: Jobs, registry: Registry
) -> AsyncIterator[House]:
    async with FakeRegistry() as source, FakeRegistry() as unused, Transport() as transport:
        connector = Connector(
            database=jobs_at.database,
            keyring=Keyring([sealing.generate_key()]),
            transport=transport,
            local_registry=registry,
        )
        yield House(
            source=source,
            destination=unused,
            jobs=jobs_at,
            dsn=dsn,
            valkey_url=valkey_url,
            connector=connector,
        )


async def into_this_registry(house: House) -> PolicySnapshot:
    return PolicySnapshot(
        rules=ReplicationPolicy(),
        source=await house.endpoint(house.source, "source"),
        destination=LOCAL,
    )


async def rows_without_objects(database: Database, storage: FilesystemStorage) -> list[str]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT storage_key FROM registry.blobs")
    keys = [row["storage_key"] for row in rows]
    return [str(key) for key in keys if not storage.path(key).exists()]


async def test_a_policy_into_this_registry_asks_nobody_but_the_source(
    house: House, registry: Registry
) -> None:
    image = house.source.repository("team/app").put_image("1.0", layers=(b"layer",))
    signature = house.source.repository("team/app").put_artifact(subject=image.descriptor)
    snapshot = await into_this_registry(house)
    async with house.worker():
        execution = await house.run(snapshot)
        assert execution.status is ExecutionStatus.SUCCEEDED
        house.source.requests.clear()
        again = await house.run(snapshot)
    assert again.unchanged == again.total
    assert house.source.requests.count("GET", "blob") == 0
    repository = registry.repository("team/app", SYSTEM)
    assert (await repository.read_manifest("1.0")).body == image.body
    assert [one.digest async for one in repository.referrers(image.digest)] == [signature.digest]
    assert house.destination.requests.count() == 0


async def test_a_full_disk_fails_its_artifact_alone_and_leaves_nothing_half_done(
    house: House, registry: Registry, storage: FilesystemStorage, room: Room
) -> None:
    large = house.source.repository("team/large").put_image("1.0", layers=(bytes(5_000_000),))
    small = house.source.repository("team/small").put_image("1.0", layers=(b"small",))
    snapshot = await into_this_registry(house)
    async with house.worker():
        execution = await house.run(snapshot)
        tasks = await house.jobs.tasks(execution.id)
        assert execution.status is ExecutionStatus.FAILED
        (failed,) = [task for task in tasks if task.status is TaskStatus.FAILED]
        assert failed.error is not None
        assert (failed.error.side, failed.error.operation) == ("destination", "writing blob")
        assert "storage full" in failed.error.message
        with pytest.raises(NotFound):
            await registry.repository("team/large", SYSTEM).resolve("1.0")
        room.left_bytes = 10_000_000
        assert (await house.run(snapshot)).status is ExecutionStatus.SUCCEEDED
    assert await rows_without_objects(house.jobs.database, storage) == []
    small_there = await registry.repository("team/small", SYSTEM).resolve("1.0")
    large_there = await registry.repository("team/large", SYSTEM).resolve("1.0")
    assert (small_there.digest, large_there.digest) == (small.digest, large.digest)


async def test_a_copy_into_a_registry_that_is_read_only_fails_with_that_sentence(
    house: House, registry: Registry
) -> None:
    house.source.repository("team/app").put_image("1.0", layers=(b"layer",))
    snapshot = await into_this_registry(house)
    await registry.set_read_only(on=True)
    async with house.worker():
        execution = await house.run(snapshot)
        (task,) = await house.jobs.tasks(execution.id)
        assert execution.status is ExecutionStatus.FAILED
        assert task.error is not None
        assert task.error.side == "destination"
        assert "in read only mode" in task.error.message
        await registry.set_read_only(on=False)
        assert (await house.run(snapshot)).status is ExecutionStatus.SUCCEEDED


async def keep_tags(database: Database) -> None:
    """Make every tag of the project `team` immutable."""
    rule = ImmutableRule(
        id=0,
        repository=Selector(decoration=Decoration.REPOSITORY_MATCHES, pattern="**"),
        tag=Selector(decoration=Decoration.MATCHES, pattern="**"),
    )
    async with database.transaction() as connection:
        project = await projects.get(connection, "team")
        await immutable_rules.create(connection, project.id, rule)


async def test_a_copy_onto_an_immutable_tag_fails_for_good_before_it_moves_anything(
    house: House, registry: Registry
) -> None:
    source = house.source.repository("team/app")
    kept = source.put_image("1.0", layers=(b"layer",))
    snapshot = await into_this_registry(house)
    async with house.worker():
        assert (await house.run(snapshot)).status is ExecutionStatus.SUCCEEDED
        await keep_tags(house.jobs.database)
        source.put_image("1.0", layers=(b"another layer",))
        new = source.put_image("2.0", layers=(b"a third layer",))
        execution = await house.run(snapshot)
    tasks = await house.jobs.tasks(execution.id)
    (failed,) = [task for task in tasks if task.status is TaskStatus.FAILED]
    assert failed.attempt == 1
    assert failed.error is not None
    assert (failed.error.side, failed.error.kind) == ("destination", "ImmutableTag")
    assert "tag 1.0 is immutable by rule" in failed.error.message
    here = registry.repository("team/app", SYSTEM)
    assert (await here.resolve("1.0")).digest == kept.digest
    assert (await here.resolve("2.0")).digest == new.digest
    refused = b"another layer"
    blob = Descriptor(media_type="", digest=Digest.of(refused), size_bytes=len(refused))
    assert not await here.has_blob(blob)
