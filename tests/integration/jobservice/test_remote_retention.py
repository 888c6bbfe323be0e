"""Retention at another registry: the same jobs, and only what its protocol can do safely."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from database import sealing
from database.pool import Database
from database.sealing import Keyring
from jobservice import retention_previews, retentions
from jobservice.connecting import Connector
from jobservice.domain.endpoint import EndpointSettings
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.retention import RetentionSettings, RetentionSnapshot
from jobservice.domain.retention_preview import FORMS
from jobservice.domain.task import TaskStatus
from jobservice.endpoints import Endpoints
from jobservice.errors import EndpointInUse, InvalidRequest
from jobservice.jobs.registries import Registries
from jobservice.jobs.retention_places import Places
from jobservice.store import endpoints as endpoint_rows
from protocol.transport import Transport
from registry.retention.rule_set import RuleSet
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.retention_house import NIGHTLY, House, rule
from tests.unit.registry.retention.examples import delete, keep, selector


@dataclass(frozen=True, slots=True, kw_only=True)
class Abroad:
    """A house whose policies are about another registry."""

    house: House
    registry: FakeRegistry
    connector: Connector
    endpoint_id: int

    def settings(
        self, *own: dict[str, Any], scope: str = "digest", **said: Any
    ) -> RetentionSettings:
        rules = RuleSet.parse(said.pop("harbor", []), list(own), scope)
        return RetentionSettings(endpoint_id=self.endpoint_id, rules=rules, **said)

    async def policy(self, *own: dict[str, Any], **said: Any) -> int:
        return await retentions.create(self.house.database, self.settings(*own, **said))

    def tags(self, repository: str = "team/app") -> set[str]:
        return set(self.registry.repository(repository).tags)

    async def preview(self, settings: RetentionSettings) -> str:
        database = self.house.database
        snapshot = await retentions.trial(database, settings)
        places = Places(database, self.house.registry, Registries(database, self.connector))
        pieces = retention_previews.preview(database, places, snapshot, FORMS["csv"]())
        return "".join([piece async for piece in pieces])


@pytest.fixture
async def abroad(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, tmp_path: Path
) -> AsyncIterator[Abroad]:
    local = Registry(database, FilesystemStorage(tmp_path))
    async with FakeRegistry() as remote, Transport() as transport:
        connector = Connector(
            database=database,
            keyring=Keyring([sealing.generate_key()]),
            transport=transport,
            local_registry=local,
        )
        async with database.connection() as connection:
            endpoint_id = await endpoint_rows.next_id(connection)
            await endpoint_rows.insert(
                connection,
                endpoint_id,
                EndpointSettings(name="elsewhere", kind="docker-registry", url=remote.url),
                None,
            )
        house = House(
            dsn=dsn,
            redis_dsn=valkey_url,
            database=database,
            registry=local,
            jobs=jobs_at,
            connector=connector,
        )
        yield Abroad(house=house, registry=remote, connector=connector, endpoint_id=endpoint_id)


@pytest.fixture
async def working(abroad: Abroad) -> AsyncIterator[None]:
    async with abroad.house.working():
        yield


@pytest.mark.usefixtures("working")
async def test_a_run_deletes_at_another_registry_what_rules_let_go(abroad: Abroad) -> None:
    for number in range(5):
        abroad.registry.repository("team/app").put_image(f"v1.{number}", layers=(b"%d" % number,))
    abroad.registry.repository("team/other").put_image("v0")
    newest = keep("**", when={"newest": {"count": 2, "by": "semver"}})
    repositories = [selector("team/app", "repoMatches")]
    rules = [{**one, "repositories": repositories} for one in (newest, delete("**"))]
    policy = await abroad.policy(*rules)
    view = await abroad.house.ended(policy, await abroad.house.run(policy))
    assert view.execution.status is ExecutionStatus.SUCCEEDED
    assert abroad.tags() == {"v1.3", "v1.4"}
    assert abroad.tags("team/other") == {"v0"}
    assert view.sum is not None
    assert (view.sum.total, view.sum.deleted) == (5, 3)
    # Repositories that rules name are not looked for in the catalog.
    assert abroad.registry.requests.count("GET", "catalog") == 0


@pytest.mark.usefixtures("working")
async def test_a_dry_run_and_a_preview_say_the_same_and_delete_nothing(abroad: Abroad) -> None:
    there = abroad.registry.repository("team/app")
    there.put_image("pr-1")
    there.put_image("v1", layers=(b"kept",))
    settings = abroad.settings(delete("pr-*"))
    preview = await abroad.preview(settings)
    assert "pr-1" in preview
    policy = await retentions.create(abroad.house.database, settings)
    view = await abroad.house.ended(policy, await abroad.house.run(policy, dry_run=True))
    assert view.sum is not None
    assert view.sum.deleted == 1
    assert abroad.tags() == {"pr-1", "v1"}
    assert abroad.registry.requests.count("DELETE") == 0


@pytest.mark.usefixtures("working")
async def test_a_tag_that_cannot_go_without_its_digest_stays_and_is_listed(abroad: Abroad) -> None:
    abroad.registry.faults.add(
        Fault(
            method="DELETE",
            kind="manifest",
            status=405,
            body=b'{"errors":[{"code":"UNSUPPORTED","message":"no"}]}',
        )
    )
    there = abroad.registry.repository("team/app")
    image = there.put_image("pr-1")
    there.tags["v1"] = str(image.digest)
    policy = await abroad.policy(delete("pr-*"), scope="tag")
    execution = await abroad.house.run(policy)
    view = await abroad.house.ended(policy, execution)
    assert view.execution.status is ExecutionStatus.SUCCEEDED
    assert view.sum is not None
    assert view.sum.refused == 1
    assert abroad.tags() == {"pr-1", "v1"}
    log = await abroad.house.log(policy, execution)
    assert "cannot delete a tag without its digest, and v1 has the same digest" in log


@pytest.mark.usefixtures("working")
async def test_a_registry_that_refuses_to_delete_fails_the_task_and_is_named(
    abroad: Abroad,
) -> None:
    body = b'{"errors":[{"code":"UNSUPPORTED","message":"deletion is switched off"}]}'
    abroad.registry.faults.add(
        Fault(method="DELETE", kind="manifest", times=-1, status=405, body=body)
    )
    abroad.registry.repository("team/app").put_image("pr-1")
    policy = await abroad.policy(delete("pr-*"))
    execution = await abroad.house.run(policy)
    view = await abroad.house.ended(policy, execution)
    assert view.execution.status is ExecutionStatus.FAILED
    (task,) = await abroad.house.tasks(policy, execution)
    assert task.status is TaskStatus.FAILED
    assert task.error is not None
    assert abroad.registry.host in task.error.message
    assert "deletion is switched off" in task.error.message


@pytest.mark.usefixtures("working")
async def test_a_pause_that_a_registry_asks_for_spends_no_attempt(abroad: Abroad) -> None:
    abroad.registry.repository("team/app").put_image("pr-1")
    abroad.registry.faults.too_many_requests("DELETE", "manifest", retry_after="1", times=1)
    policy = await abroad.policy(delete("pr-*"))
    execution = await abroad.house.run(policy)
    await abroad.house.ended(policy, execution)
    (task,) = await abroad.house.tasks(policy, execution)
    assert (task.status, task.attempt) == (TaskStatus.SUCCEEDED, 1)
    assert abroad.tags() == set()


@pytest.mark.usefixtures("working")
async def test_a_scheduled_run_that_would_take_the_last_tag_asks(abroad: Abroad) -> None:
    abroad.registry.repository("team/app").put_image("pr-1")
    policy = await abroad.policy(delete("pr-*"), cron=NIGHTLY)
    view = await abroad.house.asks(policy, await abroad.house.fire(policy))
    assert view.decided is not None
    assert any("last tag" in reason for reason in view.decided.reasons)
    assert abroad.tags() == {"pr-1"}


async def test_rules_that_ask_for_what_the_registry_does_not_tell_are_refused(
    abroad: Abroad,
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await abroad.policy(harbor=[rule("latestPushedK", 3)])
    assert "rule 1 asks for the push time" in str(refused.value)
    policy = await abroad.policy(delete("pr-*"))
    changed = abroad.settings(delete("pr-*", unless={"pulled_within_days": 3}))
    with pytest.raises(InvalidRequest):
        await retentions.update(abroad.house.database, policy, changed)


async def test_a_registry_that_is_not_there_is_refused(abroad: Abroad) -> None:
    rules = RuleSet.parse([], [delete("pr-*")])
    with pytest.raises(InvalidRequest, match=r"transship.registry_id: registry 99 not found"):
        await retentions.create(
            abroad.house.database, RetentionSettings(endpoint_id=99, rules=rules)
        )


async def test_a_registry_with_a_policy_is_not_deleted(abroad: Abroad) -> None:
    policy = await abroad.policy(delete("pr-*"))
    endpoints = Endpoints(database=abroad.house.database, connector=abroad.connector)
    with pytest.raises(EndpointInUse, match=f"retention policies \\({policy}\\)"):
        await endpoints.delete(abroad.endpoint_id)


async def test_what_a_run_follows_names_the_registry(abroad: Abroad) -> None:
    found = await retentions.get(abroad.house.database, await abroad.policy(delete("pr-*")))
    snapshot = RetentionSnapshot.of(found, dry_run=True)
    read = RetentionSnapshot.from_json(snapshot.to_json())
    assert read.registry is not None
    assert (read.registry.url, read.place) == (abroad.registry.url, "elsewhere")
    assert found.created_at <= datetime.now(UTC)
