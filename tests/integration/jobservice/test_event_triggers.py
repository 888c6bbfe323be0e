"""Policies that follow what happens in this registry, to a strict registry somewhere else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from access.identity import SYSTEM
from database import sealing
from database.pool import Connection, Database
from database.sealing import Keyring
from jobservice.connecting import Connector
from jobservice.coordination import RateLimits
from jobservice.domain.change import Change
from jobservice.domain.execution import Execution, ExecutionStatus
from jobservice.domain.listing import Listing
from jobservice.domain.policy import PolicySettings, TriggerKind
from jobservice.jobs import catalogue
from jobservice.jobs.base import JobType
from jobservice.jobs.registries import Registries
from jobservice.maintenance import event_triggers, outbox_reader
from jobservice.maintenance.event_triggers import EventTriggers
from jobservice.maintenance.outbox_reader import OutboxReader
from jobservice.maintenance.service import Service
from jobservice.policies import Policies
from jobservice.policy_starts import EventBasedPolicies
from jobservice.store import executions as execution_rows
from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from protocol.transport import Transport
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from replication.policy import Filter, FilterKind, ReplicationPolicy
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.conftest import Jobs, until, working_at
from tests.integration.jobservice.test_replication import House as Peers

HERE = "https://here.example"
REPOSITORY = "team/app"
CHANGES = "SELECT count(*) FROM jobservice.changes"
LATER = """
UPDATE jobservice.changes
SET first_at = first_at - interval '1 minute', last_at = last_at - interval '1 minute'
RETURNING 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """This registry, a destination, policies between them, and a worker to be entered."""

    registry: Registry
    policies: Policies
    peers: Peers
    database: Database

    @property
    def there(self) -> Any:
        """The repository at the destination."""
        return self.peers.destination.repository(REPOSITORY)

    async def policy(self, *filters: Filter, name: str = "follow", **settings: Any) -> int:
        """Add a policy from here to there that follows events."""
        if not settings.get("destination_endpoint_id"):
            there = await self.peers.endpoint(self.peers.destination, name)
            settings["destination_endpoint_id"] = there.endpoint_id
        return await self.policies.create(
            PolicySettings(
                name=name,
                trigger=TriggerKind.EVENT_BASED,
                rules=ReplicationPolicy(filters=filters, flattening=0),
                **settings,
            )
        )

    async def push(self, tag: str | None, content: str = "", **fields: Any) -> RawManifest:
        """Push an artifact without layers."""
        value = {"schemaVersion": 2, "manifests": [], "annotations": {"content": content}, **fields}
        body = json.dumps({**value, "mediaType": media_types.OCI_INDEX}).encode()
        pushed = RawManifest(media_type=media_types.OCI_INDEX, digest=Digest.of(body), body=body)
        await self.registry.prepare(REPOSITORY)
        await self.registry.repository(REPOSITORY, SYSTEM).write_manifest(pushed, tag=tag)
        return pushed

    async def take_up(self) -> None:
        """Do what the chores do, as if a while had passed."""
        await OutboxReader(self.database, external_url=HERE).tick()
        await self.peers.jobs.one(LATER)
        await EventTriggers(self.database, EventBasedPolicies()).tick()

    async def executions(self) -> Sequence[Execution]:
        """Return all executions, the oldest first."""
        async with self.database.connection() as connection:
            return (await execution_rows.page(connection, Listing(page_size=100))).items

    async def ended(self, count: int) -> Sequence[Execution]:
        """Return the executions when there are so many and all have ended."""

        async def have_ended() -> bool:
            found = await self.executions()
            return len(found) >= count and all(one.ended_at for one in found)

        await until(have_ended)
        return await self.executions()

    @asynccontextmanager
    async def working(self, *, chores: bool = True) -> AsyncIterator[None]:
        """A worker with the product's job types, and the chores that follow events."""
        async with RateLimits.connected(self.peers.valkey_url) as rates:

            def job_types(database: Database) -> Mapping[str, JobType]:
                return catalogue.build(database, Registries(database, self.peers.connector, rates))

            def following(database: Database) -> tuple[Service, ...]:
                return (
                    outbox_reader.service(database, external_url=HERE),
                    event_triggers.service(database, EventBasedPolicies()),
                )

            async with working_at(
                self.peers.dsn,
                self.peers.valkey_url,
                job_types,
                following if chores else lambda _database: (),
            ):
                yield


@pytest.fixture
async def house(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, tmp_path: Path
) -> AsyncIterator[House]:
    registry = Registry(database, FilesystemStorage(tmp_path))
    async with FakeRegistry() as unused, FakeRegistry() as destination, Transport() as transport:
        connector = Connector(
            database=database,
            keyring=Keyring([sealing.generate_key()]),
            transport=transport,
            local_registry=registry,
        )
        peers = Peers(
            source=unused,
            destination=destination,
            jobs=jobs_at,
            dsn=dsn,
            valkey_url=valkey_url,
            connector=connector,
        )
        policies = Policies(database=database, connector=connector)
        yield House(registry=registry, policies=policies, peers=peers, database=database)


async def test_a_pushed_tag_is_copied_and_nothing_else_is(house: House) -> None:
    before = await house.push("0.9", "was here before the policy")
    await OutboxReader(house.database, external_url=HERE).tick()
    await house.policy()
    async with house.working():
        pushed = await house.push("1.0")
        (execution,) = await house.ended(1)
    assert (execution.status, execution.trigger) == (
        ExecutionStatus.SUCCEEDED,
        TriggerKind.EVENT_BASED,
    )
    assert execution.total == 1
    assert house.there.tags == {"1.0": str(pushed.digest)}
    assert str(before.digest) not in house.there.manifests


async def test_many_pushes_in_a_short_while_are_one_execution(house: House) -> None:
    await house.policy(Filter(kind=FilterKind.TAG, pattern="v*"))
    for number in range(20):
        await house.push(f"v{number}", f"{number}")
        await house.push("latest", f"{number}")
    await house.take_up()
    async with house.working(chores=False):
        (execution,) = await house.ended(1)
    assert execution.total == 20
    assert set(house.there.tags) == {f"v{number}" for number in range(20)}


async def test_a_tag_that_moved_twice_is_copied_as_it_is_now(house: House) -> None:
    await house.policy()
    first = await house.push("1.0", "first")
    last = await house.push("1.0", "last")
    await house.take_up()
    async with house.working(chores=False):
        await house.ended(1)
    assert house.there.tags == {"1.0": str(last.digest)}
    assert str(first.digest) not in house.there.manifests


async def test_what_the_filters_leave_out_starts_nothing(house: House) -> None:
    await house.policy(Filter(kind=FilterKind.NAME, pattern="other/**"))
    await house.policy(Filter(kind=FilterKind.TAG, pattern="v*"), name="tags")
    await house.push("1.0")
    await house.take_up()
    assert await house.executions() == ()
    assert await house.peers.jobs.one(CHANGES) == 0


async def test_a_child_travels_with_its_index_and_not_by_itself(house: House) -> None:
    await house.policy()
    child = await house.push(None, "child")
    entry = {
        "mediaType": child.media_type,
        "digest": str(child.digest),
        "size": len(child.body),
    }
    parent = await house.push("1.0", "parent", manifests=[entry])
    await house.take_up()
    async with house.working(chores=False):
        (execution,) = await house.ended(1)
    assert execution.total == 1
    assert set(house.there.manifests) == {str(child.digest), str(parent.digest)}


async def test_a_signature_pushed_later_follows_what_it_signs(house: House) -> None:
    await house.policy(Filter(kind=FilterKind.TAG, pattern="1.*"))
    image = await house.push("1.0")
    other = await house.push("2.0", "left out by the filter")
    async with house.working():
        await house.ended(1)
        signature = await house.push(None, "signature", subject=pointer(image.descriptor))
        await house.push(None, "of no interest", subject=pointer(other.descriptor))
        await house.ended(2)
    assert set(house.there.manifests) == {str(image.digest), str(signature.digest)}


def pointer(subject: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": subject.media_type,
        "digest": str(subject.digest),
        "size": subject.size_bytes,
    }


async def test_deleted_tags_and_artifacts_go_there_too_if_the_policy_says_so(house: House) -> None:
    await house.policy(replicate_deletion=True)
    repository = house.registry.repository(REPOSITORY, SYSTEM)
    kept = await house.push("1.0", "kept")
    gone = await house.push("2.0", "gone")
    await house.take_up()
    async with house.working(chores=False):
        await house.ended(1)
        await repository.delete_tag("1.0")
        await repository.delete_manifest(gone.digest)
        await house.take_up()
        first, second = await house.ended(2)
    assert [first.status, second.status] == [ExecutionStatus.SUCCEEDED] * 2
    assert (second.total, second.unchanged) == (2, 0)
    assert house.there.tags == {}
    assert set(house.there.manifests) == {str(kept.digest)}


async def test_deletions_stay_here_if_the_policy_does_not_speak_of_them(house: House) -> None:
    await house.policy()
    pushed = await house.push("1.0")
    await house.take_up()
    async with house.working(chores=False):
        await house.ended(1)
    await house.registry.repository(REPOSITORY, SYSTEM).delete_manifest(pushed.digest)
    await house.take_up()
    assert len(await house.executions()) == 1
    assert set(house.there.tags) == {"1.0"}


async def test_what_is_gone_waits_for_those_who_may_still_be_writing_it(house: House) -> None:
    await house.policy(replicate_deletion=True)
    await house.push("1.0")
    await house.take_up()
    await house.registry.repository(REPOSITORY, SYSTEM).delete_tag("1.0")
    await house.take_up()
    assert len(await house.executions()) == 1
    assert await house.peers.jobs.one(CHANGES) == 1
    async with house.working():
        await house.ended(2)
    assert house.there.tags == {}


async def test_a_tag_that_came_back_is_copied_and_not_deleted(house: House) -> None:
    await house.policy(replicate_deletion=True)
    pushed = await house.push("1.0")
    await house.registry.repository(REPOSITORY, SYSTEM).delete_tag("1.0")
    await house.push("1.0")
    await house.take_up()
    async with house.working(chores=False):
        await house.ended(1)
    assert house.there.tags == {"1.0": str(pushed.digest)}
    assert await house.peers.jobs.one(CHANGES) == 0


async def test_a_disabled_policy_follows_nothing(house: House) -> None:
    await house.policy(enabled=False)
    await house.push("1.0")
    await house.take_up()
    assert await house.peers.jobs.one(CHANGES) == 0


async def test_a_policy_that_was_disabled_meanwhile_starts_nothing_and_holds_up_no_other(
    house: House,
) -> None:
    policy_id = await house.policy()
    await house.policy(name="other")
    await house.push("1.0")
    await OutboxReader(house.database, external_url=HERE).tick()
    disable = "UPDATE jobservice.policies SET enabled = false WHERE id = $1 RETURNING 1"
    await house.peers.jobs.one(disable, policy_id)
    await house.take_up()
    (execution,) = await house.executions()
    assert execution.policy_id != policy_id
    assert await house.peers.jobs.one(CHANGES) == 0


async def test_two_leaders_start_one_execution(house: House) -> None:
    await house.policy()
    await house.push("1.0")
    await OutboxReader(house.database, external_url=HERE).tick()
    await house.peers.jobs.one(LATER)
    both = [EventTriggers(house.database, EventBasedPolicies()) for _ in range(2)]
    for one in both:
        await one.tick()
    assert len(await house.executions()) == 1


async def test_changes_are_waited_for_and_not_for_ever(house: House) -> None:
    await house.policy()
    await house.push("1.0")
    await OutboxReader(house.database, external_url=HERE).tick()
    busy = """UPDATE jobservice.changes SET last_at = now() + interval '1 hour' RETURNING 1"""
    await house.peers.jobs.one(busy)
    triggers = EventTriggers(house.database, EventBasedPolicies())
    await triggers.tick()
    assert await house.executions() == ()
    old = """UPDATE jobservice.changes SET first_at = now() - interval '1 hour' RETURNING 1"""
    await house.peers.jobs.one(old)
    await triggers.tick()
    assert len(await house.executions()) == 1


async def test_however_often_it_looks_one_alarm_is_set(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.policy()
    await house.push("1.0")
    await OutboxReader(house.database, external_url=HERE).tick()
    triggers = EventTriggers(house.database, EventBasedPolicies())
    alarms: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def noted(delay: float, callback: Any, *arguments: Any, **more: Any) -> asyncio.TimerHandle:
        if callback != triggers.wake.set:
            return call_later(delay, callback, *arguments, **more)
        alarms.append(call_later(3600, callback))
        return alarms[-1]

    monkeypatch.setattr(loop, "call_later", noted)
    for _ in range(10):
        await triggers.tick()
    assert [alarm.cancelled() for alarm in alarms] == [True] * 9 + [False]


class Defective:
    """A starter with a defect for one policy."""

    def __init__(self, policy_id: int) -> None:
        self._policy_id = policy_id

    async def start(
        self, connection: Connection, policy_id: int, found: Sequence[Change]
    ) -> int | None:
        if policy_id == self._policy_id:
            raise ZeroDivisionError
        return await EventBasedPolicies().start(connection, policy_id, found)


async def test_a_defect_in_one_policy_waits_and_stops_no_other(house: House) -> None:
    defective = await house.policy()
    sound = await house.policy(name="other")
    await house.push("1.0")
    await OutboxReader(house.database, external_url=HERE).tick()
    await house.peers.jobs.one(LATER)
    triggers = EventTriggers(house.database, Defective(defective))
    await triggers.tick()
    await triggers.tick()
    (execution,) = await house.executions()
    assert execution.policy_id == sound
    waits = "SELECT first_at > clock_timestamp() FROM jobservice.changes WHERE policy_id = $1"
    assert await house.peers.jobs.one(waits, defective) is True
