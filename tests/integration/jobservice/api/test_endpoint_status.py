"""What is known of a registry's health: found by pings and by the leader's checks."""

from __future__ import annotations

from typing import Any

import pytest

from database.pool import Database
from database.sealing import Keyring, generate_key
from jobservice.api.services import Services
from jobservice.checking import Checker
from jobservice.connecting import Connector
from jobservice.errors import UnhealthyEndpoint
from jobservice.maintenance import endpoint_checks
from jobservice.store import endpoints
from protocol.transport import Transport
from registry.service import Registry
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller


@pytest.fixture
def checker(database: Database, services: Services) -> Checker:
    return Checker(database=database, connector=services.endpoints.connector)


@pytest.fixture
async def endpoint(admin: Caller, upstream: FakeRegistry) -> int:
    body: dict[str, Any] = {"name": "up", "type": "docker-registry", "url": upstream.url}
    body["credential"] = {"access_key": "u", "access_secret": "old"}
    assert (await admin.post("/registries", body)).status == 201
    return 1


def locked(upstream: FakeRegistry) -> None:
    upstream.door = Door(scheme="basic", guards_ping=True, username="u", password="new")


async def status(admin: Caller) -> Any:
    return (await admin.get("/registries/1")).json["status"]


@pytest.mark.usefixtures("endpoint")
async def test_a_ping_of_an_endpoint_as_it_stands_is_remembered(
    admin: Caller, upstream: FakeRegistry
) -> None:
    locked(upstream)
    assert (await admin.post("/registries/ping", {"id": 1})).status == 400
    assert await status(admin) == "unhealthy"
    upstream.door = Door()
    assert (await admin.post("/registries/ping", {"id": 1, "url": upstream.url})).status == 200
    assert await status(admin) == "healthy"


@pytest.mark.usefixtures("endpoint")
async def test_a_ping_with_other_settings_says_nothing_of_what_is_stored(admin: Caller) -> None:
    other = {"id": 1, "url": "http://127.0.0.1:9"}
    assert (await admin.post("/registries/ping", other)).status == 400
    assert await status(admin) == "healthy"


async def test_what_was_not_checked_for_long_is_checked(
    admin: Caller, upstream: FakeRegistry, database: Database, checker: Checker, endpoint: int
) -> None:
    locked(upstream)
    await endpoint_checks.check_due(checker, every_seconds=300)
    assert await status(admin) == "healthy"
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE jobservice.endpoints SET checked_at = now() - interval '7 minutes'"
        )
    await endpoint_checks.check_due(checker, every_seconds=300)
    assert await status(admin) == "unhealthy"
    async with database.connection() as connection:
        found = await endpoints.get(connection, endpoint)
        assert await endpoints.due(connection, unchecked_seconds=300) == ()
    assert found is not None
    assert found.checked_at is not None


async def test_what_a_check_found_of_an_older_address_is_not_remembered(
    admin: Caller, upstream: FakeRegistry, database: Database, checker: Checker, endpoint: int
) -> None:
    async with database.connection() as connection:
        before = await endpoints.get(connection, endpoint)
    assert before is not None
    assert (await admin.put("/registries/1", {"description": "changed"})).status == 200
    locked(upstream)
    with pytest.raises(UnhealthyEndpoint):
        await checker.check_stored(before)
    assert await status(admin) == "healthy"


@pytest.mark.usefixtures("endpoint")
async def test_a_secret_that_does_not_open_makes_an_endpoint_unhealthy(
    admin: Caller,
    database: Database,
    transport: Transport,
    local_registry: Registry,
) -> None:
    strange = Connector(
        database=database,
        keyring=Keyring([generate_key()]),
        transport=transport,
        local_registry=local_registry,
    )
    await endpoint_checks.check_due(
        Checker(database=database, connector=strange), every_seconds=-600
    )
    assert await status(admin) == "unhealthy"


@pytest.mark.usefixtures("endpoint")
async def test_an_endpoint_that_an_execution_began_with_is_not_deleted(
    admin: Caller, upstream: FakeRegistry
) -> None:
    second = {"name": "second", "type": "docker-registry", "url": upstream.url}
    await admin.post("/registries", second)
    policy = {"name": "p", "src_registry": {"id": 1}, "enabled": True}
    await admin.post("/replication/policies", policy)
    await admin.post("/replication/executions", {"policy_id": 1})
    moved = await admin.put("/replication/policies/1", {**policy, "src_registry": {"id": 2}})
    assert moved.status == 200
    refused = await admin.delete("/registries/1")
    assert (refused.status, refused.code) == (412, "PRECONDITION")
    assert "executions that are not finished (1)" in refused.messages
    await admin.put("/replication/executions/1")
    assert (await admin.delete("/registries/1")).status == 200
