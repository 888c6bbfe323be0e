"""The API on a real Postgres, with a registry to point endpoints at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from access import users
from access.authentication import Authenticator
from database.pool import Database
from database.sealing import Keyring, generate_key
from jobservice.api import application
from jobservice.api.services import Installation, Services
from jobservice.connecting import Connector
from jobservice.endpoints import Endpoints
from jobservice.following import Follower
from jobservice.health import Health, Unhealthy
from jobservice.hook_secrets import HookSecrets
from jobservice.hooks import Hooks
from jobservice.immutable_rules import ImmutableRules
from jobservice.jobs.registries import Registries
from jobservice.jobs.retention_places import Places
from jobservice.metrics import Metrics
from jobservice.policies import Policies
from jobservice.projects import Projects
from protocol.guard import Guard
from protocol.transport import Transport
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import PASSWORD, Caller

METRICS_TOKEN = "reads-metrics-and-nothing-else"


@pytest.fixture
async def upstream() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as fake:
        yield fake


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport() as opened:
        yield opened


@pytest.fixture
async def hook_transport() -> AsyncIterator[Transport]:
    """What hooks are sent by in a process that may reach loopback."""
    async with Transport(outbound=Guard(opened=(ip_network("127.0.0.0/8"),))) as opened:
        yield opened


@pytest.fixture
def keyring() -> Keyring:
    return Keyring([generate_key()])


async def works() -> None:
    """A probe that finds nothing wrong."""


async def broken() -> None:
    raise Unhealthy("it does not answer")


@pytest.fixture
def local_registry(database: Database, tmp_path: Path) -> Registry:
    return Registry(database, FilesystemStorage(tmp_path / "storage"))


@pytest.fixture
async def services(
    database: Database,
    keyring: Keyring,
    transport: Transport,
    hook_transport: Transport,
    local_registry: Registry,
) -> Services:
    await users.ensure_admin(database, PASSWORD)
    await users.create(database, username="nobody", password=PASSWORD)
    connector = Connector(
        database=database, keyring=keyring, transport=transport, local_registry=local_registry
    )
    return Services(
        database=database,
        authenticator=Authenticator(database),
        endpoints=Endpoints(database=database, connector=connector),
        policies=Policies(database=database, connector=connector),
        immutable_rules=ImmutableRules(database=database),
        projects=Projects(database=database, registry=local_registry),
        hooks=Hooks(database=database, secrets=HookSecrets(keyring), transport=hook_transport),
        follower=Follower(database),
        metrics=Metrics(database, admission=local_registry.admission),
        registry=local_registry,
        places=Places(database, local_registry, Registries(database, connector)),
        health=Health(probes={"core": works, "database": works, "redis": broken}),
        installation=Installation(
            version="0.0.1",
            external_url="http://t.example:8080",
            metrics_token=METRICS_TOKEN,
        ),
    )


@pytest.fixture
async def client(services: Services) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    app = web.Application()
    application.add_routes(app, services)
    async with TestClient(TestServer(app)) as opened:
        yield opened


@pytest.fixture
def admin(client: TestClient[web.Request, web.Application]) -> Caller:
    return Caller(client, encode_basic_auth("admin", PASSWORD))


@pytest.fixture
def stranger(client: TestClient[web.Request, web.Application]) -> Caller:
    return Caller(client)


@pytest.fixture
def nobody(client: TestClient[web.Request, web.Application]) -> Caller:
    return Caller(client, encode_basic_auth("nobody", PASSWORD))
