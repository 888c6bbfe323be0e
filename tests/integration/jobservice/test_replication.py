"""Policies carried out by a worker, from one strict registry to another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from database import sealing
from database.pool import Database
from database.sealing import Keyring
from jobservice import executions
from jobservice.connecting import Connector
from jobservice.coordination import RateLimits
from jobservice.domain.endpoint import EndpointSettings
from jobservice.domain.execution import Execution, ExecutionStatus, NewExecution
from jobservice.domain.limits import EndpointLimits
from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint, TriggerKind
from jobservice.domain.task import TaskStatus
from jobservice.jobs import catalogue, replication_plan
from jobservice.jobs.base import JobType
from jobservice.jobs.registries import Registries
from jobservice.store import endpoints, limits
from protocol.transport import Transport
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from replication.policy import Filter, FilterKind, ReplicationPolicy
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.conftest import Jobs, until, working_at

KIND = "docker-registry"
PER_SECOND = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A source, a destination, and a worker to be entered."""

    source: FakeRegistry
    destination: FakeRegistry
    jobs: Jobs
    dsn: str
    valkey_url: str
    connector: Connector

    async def endpoint(self, registry: FakeRegistry, name: str) -> SnapshotEndpoint:
        """Remember a registry."""
        async with self.jobs.database.transaction() as connection:
            endpoint_id = await endpoints.next_id(connection)
            settings = EndpointSettings(name=name, kind=KIND, url=registry.url)
            await endpoints.insert(connection, endpoint_id, settings, None)
        return SnapshotEndpoint(
            endpoint_id=endpoint_id, kind=KIND, url=registry.url, name=name, insecure=False
        )

    async def snapshot(self, **rules: Any) -> PolicySnapshot:
        """What a policy with both ends comes to."""
        return PolicySnapshot(
            rules=ReplicationPolicy(**rules),
            source=await self.endpoint(self.source, "source"),
            destination=await self.endpoint(self.destination, "destination"),
        )

    async def start(self, snapshot: PolicySnapshot) -> int:
        """Start an execution."""
        new = NewExecution(
            vendor_type="replication",
            job_type=replication_plan.NAME,
            policy_id=None,
            trigger=TriggerKind.MANUAL,
            snapshot=snapshot.to_json(),
            endpoint_ids=(snapshot.source.endpoint_id, snapshot.destination.endpoint_id),
            destination_id=snapshot.destination.endpoint_id,
        )
        return await executions.start(self.jobs.database, new)

    async def run(self, snapshot: PolicySnapshot) -> Execution:
        """Start an execution and wait for its end."""
        return await self.jobs.ended(await self.start(snapshot))

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """A worker with the product's job types."""
        async with RateLimits.connected(self.valkey_url) as rates:

            def job_types(database: Database) -> Mapping[str, JobType]:
                return catalogue.build(database, Registries(database, self.connector, rates))

            async with working_at(self.dsn, self.valkey_url, job_types):
                yield


@pytest.fixture
async def house(dsn: str, valkey_url: str, jobs_at: Jobs, tmp_path: Path) -> AsyncIterator[House]:
    async with FakeRegistry() as source, FakeRegistry() as destination, Transport() as transport:
        connector = Connector(
            database=jobs_at.database,
            keyring=Keyring([sealing.generate_key()]),
            transport=transport,
            local_registry=Registry(jobs_at.database, FilesystemStorage(tmp_path)),
        )
        yield House(
            source=source,
            destination=destination,
            jobs=jobs_at,
            dsn=dsn,
            valkey_url=valkey_url,
            connector=connector,
        )


async def test_a_policy_copies_what_it_names_and_then_nothing(house: House) -> None:
    for number in range(3):
        repository = house.source.repository(f"team/app{number}")
        repository.put_image("1.0", layers=(b"shared layer", b"layer %d" % number))
        repository.put_image("latest", layers=(b"shared layer",))
    snapshot = await house.snapshot()
    async with house.worker():
        first = await house.run(snapshot)
        assert first.status is ExecutionStatus.SUCCEEDED
        assert (first.total, first.succeeded, first.unchanged) == (6, 6, 0)
        for name, repository in house.source.repositories.items():
            copied = house.destination.repositories[name]
            assert copied.tags == repository.tags
            assert {d: m.body for d, m in copied.manifests.items()} == {
                d: m.body for d, m in repository.manifests.items()
            }

        house.source.requests.clear()
        second = await house.run(snapshot)
    assert second.status is ExecutionStatus.SUCCEEDED
    assert (second.total, second.unchanged) == (3, 3)
    assert house.source.requests.count("GET", "blob") == 0
    account = await executions.account(house.jobs.database, second.id)
    assert [(one.reason, one.count) for one in account.outcomes] == [("up to date", 6)]


async def test_a_layer_that_many_tasks_share_is_fetched_once(house: House) -> None:
    for number in range(8):
        house.source.repository(f"app{number}").put_image("1", layers=(b"x" * 50_000,))
    async with house.worker():
        execution = await house.run(await house.snapshot())
    assert execution.succeeded == 8
    layers = house.source.repository("app0").blobs
    fetched = house.source.requests.count("GET", "blob")
    assert fetched == len(layers)


async def test_a_filter_that_matches_nothing_is_said(house: House) -> None:
    house.source.repository("team/app").put_image("1.0", layers=(b"one",))
    house.source.repository("team/other").put_image("1.0", layers=(b"one",))
    typo = Filter(kind=FilterKind.NAME, pattern="teem/**")
    async with house.worker():
        execution = await house.run(await house.snapshot(filters=(typo,)))
    assert execution.total == 0
    assert "0 of 2 repositories" in execution.status_text


@pytest.mark.usefixtures("product_logging")
async def test_a_lying_artifact_fails_alone_and_says_where(house: House) -> None:
    house.source.repository("good").put_image("1", layers=(b"good layer",))
    bad = house.source.repository("bad")
    bad.put_image("1", layers=(b"bad layer",))
    for digest, content in bad.blobs.items():
        if content == b"bad layer":
            bad.blobs[digest] = b"lie layer"
    async with house.worker():
        execution = await house.run(await house.snapshot())
    assert execution.status is ExecutionStatus.FAILED
    assert (execution.succeeded, execution.failed) == (1, 1)
    (failed,) = [
        task for task in await house.jobs.tasks(execution.id) if task.status is TaskStatus.FAILED
    ]
    assert failed.error is not None
    assert failed.error.kind == "DigestMismatch"
    assert failed.error.side == "source"
    assert failed.attempt == 1
    assert "1" not in house.destination.repository("bad").tags
    log = await executions.task_log(house.jobs.database, execution.id, failed.id)
    assert "transfer_started" in log
    assert "task_failed" in log


async def test_a_repository_that_is_too_shallow_fails_alone(house: House) -> None:
    house.source.repository("deep/er/app").put_image("1", layers=(b"one",))
    house.source.repository("app").put_image("1", layers=(b"one",))
    rules = {"destination_namespace": "mirror", "flattening": 2}
    async with house.worker():
        execution = await house.run(await house.snapshot(**rules))
    assert (execution.succeeded, execution.failed) == (1, 1)
    assert "mirror/app" in house.destination.repositories


async def test_a_stop_reaches_into_the_middle_of_a_blob(house: House) -> None:
    house.source.repository("app").put_image("1", layers=(b"x" * 5_000_000,))
    hold = Fault(method="GET", kind="blob", drip_bytes=64 * 1024, hold=asyncio.Event(), times=2)
    held = house.source.faults.add(hold)
    async with house.worker():
        execution_id = await house.start(await house.snapshot())
        async with asyncio.timeout(10):
            await held.reached.wait()
        await executions.stop(house.jobs.database, execution_id)
        execution = await house.jobs.ended(execution_id, seconds=2)
    assert execution.status is ExecutionStatus.STOPPED
    assert house.destination.repository("app").tags == {}


async def test_a_rate_limit_spends_no_attempt(house: House) -> None:
    house.source.repository("app").put_image("1", layers=(b"one",))
    house.source.faults.too_many_requests("GET", "manifest", retry_after="1", times=6)
    async with house.worker():
        execution = await house.run(await house.snapshot())
    (task,) = await house.jobs.tasks(execution.id)
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert task.attempt == 1
    assert await house.jobs.one("SELECT max(fence) FROM jobservice.tasks") > 1


async def test_credentials_go_nowhere_else_when_an_endpoint_moved(house: House) -> None:
    snapshot = await house.snapshot()
    async with house.jobs.database.connection() as connection:
        await connection.execute(
            "UPDATE jobservice.endpoints SET url = 'http://127.0.0.1:1' WHERE id = $1",
            snapshot.source.endpoint_id,
        )
    async with house.worker():
        execution = await house.run(snapshot)
    assert execution.status is ExecutionStatus.FAILED
    assert "changed or removed" in execution.status_text
    assert house.source.requests.seen == []


async def test_a_source_that_does_not_answer_fails_the_execution_with_its_reason(
    house: House,
) -> None:
    house.source.faults.answer("GET", "catalog", 403, times=-1)
    async with house.worker():
        execution = await house.run(await house.snapshot())
    assert execution.status is ExecutionStatus.FAILED
    assert "listing the repositories at the source failed" in execution.status_text


async def test_a_registry_that_asks_for_patience_holds_back_all_of_its_tasks_at_once(
    house: House,
) -> None:
    for number in range(4):
        house.source.repository(f"team/app{number}").put_image("1.0")
    house.destination.faults.add(
        Fault(method="PUT", kind="manifest", status=429, headers={"Retry-After": "3600"})
    )
    snapshot = await house.snapshot()
    async with house.worker():
        execution_id = await house.start(snapshot)

        async def is_postponed() -> bool:
            return bool(
                await house.jobs.one(
                    "SELECT count(*) FROM jobservice.endpoint_limits"
                    " WHERE endpoint_id = $1 AND postponed_until > now() + interval '50 minutes'",
                    snapshot.destination.endpoint_id,
                )
            )

        await until(is_postponed)
        waiting = [t for t in await house.jobs.tasks(execution_id) if t.status == "pending"]
        assert waiting
        assert {task.attempt for task in waiting} == {1}
        snoozed = [task for task in waiting if task.not_before is not None]
        assert "429" in snoozed[0].reason
        await executions.stop(house.jobs.database, execution_id)
        await house.jobs.ended(execution_id)


async def test_requests_keep_to_a_registrys_rate(house: House) -> None:
    for number in range(3):
        house.source.repository(f"team/app{number}").put_image("1.0")
    snapshot = await house.snapshot()
    async with house.jobs.database.connection() as connection:
        await limits.put(
            connection,
            snapshot.source.endpoint_id,
            EndpointLimits(requests_per_second=PER_SECOND),
        )
    begun = monotonic()
    async with house.worker():
        ended = await house.run(snapshot)
    assert ended.status is ExecutionStatus.SUCCEEDED
    asked = house.source.requests.count()
    assert monotonic() - begun > (asked - PER_SECOND) / PER_SECOND - 0.3
