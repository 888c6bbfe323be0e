"""What happens to content of this registry, told to hooks over a real Postgres and Valkey."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from access import projects
from access.identity import SYSTEM
from database.pool import Database
from database.sealing import Keyring, generate_key
from jobservice.errors import CannotListen
from jobservice.hook_secrets import HookSecrets
from jobservice.hooks import Hooks
from jobservice.maintenance import use_merger
from jobservice.maintenance.outbox_reader import OutboxReader
from protocol import media_types
from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.guard import Guard
from protocol.transport import Transport
from registry.metadata import manifests
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from registry.uses import Used
from tests.fakes.receiver import Receiver
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.hook_house import House

BODY = json.dumps(
    {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
).encode()
INDEX = RawManifest(media_type=media_types.OCI_INDEX, digest=Digest.of(BODY), body=BODY)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


@pytest.fixture
def registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, FilesystemStorage(tmp_path))


@pytest.fixture
async def house(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs
) -> AsyncIterator[House]:
    async with Transport(outbound=Guard(opened=(ip_network("127.0.0.0/8"),))) as transport:
        secrets = HookSecrets(Keyring([generate_key()]))
        hooks = Hooks(database=database, secrets=secrets, transport=transport)
        yield House(dsn=dsn, redis_dsn=valkey_url, hooks=hooks, jobs=jobs_at)


async def push(registry: Registry, repository: str, tag: str) -> None:
    await registry.prepare(repository)
    await registry.repository(repository, SYSTEM).write_manifest(INDEX, tag=tag)


async def test_a_push_and_a_deletion_are_told_as_harbor_tells_them(
    house: House, registry: Registry, receiver: Receiver
) -> None:
    await house.hook(receiver, event_types=["PUSH_ARTIFACT", "DELETE_ARTIFACT"])
    async with house.working():
        await push(registry, "team/app", "1.0")
        await receiver.heard(lambda it: len(it.accepted) == 1)
        await registry.repository("team/app", SYSTEM).delete_tag("1.0")
        await registry.repository("team/app", SYSTEM).delete_manifest(INDEX.digest)
        await receiver.heard(lambda it: len(it.accepted) == 2)
        await house.outbox_is_empty()
    pushed, deleted = receiver.accepted
    assert [pushed.body["type"], deleted.body["type"]] == ["PUSH_ARTIFACT", "DELETE_ARTIFACT"]
    assert pushed.body["operator"] == "transship"
    assert pushed.body["event_data"]["resources"] == [
        {
            "digest": str(INDEX.digest),
            "tag": "1.0",
            "resource_url": "t.example/team/app:1.0",
        }
    ]
    repository = pushed.body["event_data"]["repository"]
    assert (repository["repo_full_name"], repository["repo_type"]) == ("team/app", "private")
    assert repository["date_created"] > 0
    assert pushed.event_id == pushed.body["event_data"]["transship"]["event_id"]


async def test_a_program_that_reads_distributions_notifications_is_told_in_them(
    house: House, registry: Registry, receiver: Receiver
) -> None:
    await house.hook(receiver, event_types=["PUSH_ARTIFACT"], format="Distribution")
    async with house.working():
        await push(registry, "team/app", "1.0")
        await receiver.heard(lambda it: bool(it.accepted))
    (message,) = receiver.accepted
    (told,) = message.body["events"]
    assert (told["action"], told["target"]["tag"]) == ("push", "1.0")
    assert message.headers["Content-Type"] == "application/vnd.docker.distribution.events.v2+json"


async def test_what_nobody_wants_to_hear_of_does_not_stay(
    house: House, registry: Registry, database: Database
) -> None:
    await push(registry, "team/app", "1.0")
    await OutboxReader(database, external_url="https://t.example").tick()
    assert await house.jobs.one("SELECT count(*) FROM registry.outbox") == 0
    assert await house.jobs.one("SELECT count(*) FROM jobservice.hook_deliveries") == 0


async def test_an_event_that_cannot_be_told_waits_and_holds_up_no_other(
    house: House, registry: Registry, database: Database, receiver: Receiver
) -> None:
    await house.hook(receiver, event_types=["PUSH_ARTIFACT"])
    await push(registry, "team/app", "1.0")
    spoil = """UPDATE registry.outbox SET event = event - 'digest' RETURNING event_id"""
    assert await house.jobs.one(spoil)
    await push(registry, "team/app", "2.0")
    await OutboxReader(database, external_url="https://t.example").tick()
    told = (
        "SELECT payload::jsonb #>> '{event_data,resources,0,tag}' FROM jobservice.hook_deliveries"
    )
    assert await house.jobs.one(told) == "2.0"
    waits = "SELECT not_before > now() FROM registry.outbox"
    assert await house.jobs.one(waits) is True


async def test_an_event_is_told_once_whoever_reads_it_how_often(
    house: House, registry: Registry, database: Database, receiver: Receiver
) -> None:
    await house.hook(receiver, event_types=["PUSH_ARTIFACT"])
    await push(registry, "team/app", "1.0")
    readers = [OutboxReader(database, external_url="https://t.example") for _ in range(2)]
    async with database.transaction() as first, database.transaction() as second:
        taken = [await readers[0].hand_on_events(first), await readers[1].hand_on_events(second)]
    assert taken == [1, 0]
    assert await house.jobs.one("SELECT count(*) FROM jobservice.hook_deliveries") == 1


async def test_a_pull_is_told_to_hooks_of_its_project_and_of_all(
    house: House, registry: Registry, database: Database, receiver: Receiver
) -> None:
    await push(registry, "team/app", "1.0")
    async with database.connection() as connection:
        found = await manifests.find(connection, "team/app", "1.0", with_body=False)
    assert found is not None
    used = Used(repository_id=found.repository_id, manifest_id=found.id, tag="1.0")
    await house.hook(receiver, event_types=["PULL_ARTIFACT"])
    async with house.working(), use_merger.merging(database, registry.uses):
        registry.uses.pulled(used, by="ci")
        await receiver.heard(lambda it: bool(it.accepted))
    (message,) = receiver.accepted
    assert (message.body["type"], message.body["operator"]) == ("PULL_ARTIFACT", "ci")
    assert message.body["event_data"]["resources"][0]["tag"] == "1.0"


async def test_what_was_used_is_written_before_a_process_ends(
    registry: Registry, database: Database, house: House
) -> None:
    await push(registry, "team/app", "1.0")
    async with database.connection() as connection:
        found = await manifests.find(connection, "team/app", "1.0", with_body=False)
    assert found is not None
    async with use_merger.merging(database, registry.uses):
        registry.uses.pulled(Used(repository_id=found.repository_id, manifest_id=found.id), by="ci")
    assert await house.jobs.one("SELECT pull_count FROM registry.manifests") == 1


async def test_a_projects_hook_hears_of_its_own_project_only(
    house: House, registry: Registry, database: Database, receiver: Receiver
) -> None:
    await registry.prepare("team/app")
    async with database.connection() as connection:
        team = await projects.get(connection, "team")
    of_team = dataclasses.replace(house, hooks=house.hooks.of_project(team.id))
    hook_id = await of_team.hook(
        receiver, event_types=["PUSH_ARTIFACT"], name="team", format="CloudEvents"
    )
    async with house.working():
        await push(registry, "other/app", "1.0")
        await push(registry, "team/app", "2.0")
        await receiver.heard(lambda it: bool(it.accepted))
        await house.outbox_is_empty()
    (message,) = receiver.accepted
    assert message.body["data"]["repository"]["repo_full_name"] == "team/app"
    assert message.body["source"] == f"/projects/{team.id}/webhook/policies/{hook_id}"


async def test_what_ends_a_process_is_raised_as_it_is(
    registry: Registry, database: Database
) -> None:
    with pytest.raises(CannotListen):
        async with use_merger.merging(database, registry.uses):
            raise CannotListen("127.0.0.1", 80, reason="in use")
