"""What the installation says about itself, also while Postgres is away."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from access.authentication import Authenticator
from database import migrations
from database.pool import Database
from jobservice import health
from jobservice.api import application, exchange
from jobservice.api.services import Services
from jobservice.probing import Probes
from jobservice.queue import TaskQueue
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from registry.reserve import Reserve
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.jobservice.api.caller import PASSWORD, Answer, Caller

PATIENCE_SECONDS = 0.3
PATIENT_SECONDS = 3600
DEADLINE_SECONDS = 30
ANSWER_SECONDS = 3
AWAY = "Postgres does not answer"
IDLE = "no worker is alive; start one with `transship worker`"


@pytest.fixture
def own_postgres() -> Iterator[EmbeddedPostgres]:
    """One that may be stopped: the session's serves other tests."""
    with tempfile.TemporaryDirectory(prefix="transship-test-") as folder:
        server = EmbeddedPostgres(folder=Path(folder), durable=False, die_with_parent=True)
        server.start()
        yield server
        server.stop()


@pytest.fixture
async def database(own_postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    await migrations.apply(own_postgres.dsn())
    pool = await Database.connect(own_postgres.dsn(), patience_seconds=PATIENCE_SECONDS)
    yield pool
    await pool.close()


@pytest.fixture
async def client(
    services: Services, database: Database, valkey_url: str, tmp_path: Path
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TaskQueue.connected(valkey_url) as queue:
        probes = Probes(
            database=database,
            queue=queue,
            local_registry=Registry(database, FilesystemStorage(tmp_path)),
        )
        app = web.Application()
        application.add_routes(app, dataclasses.replace(services, health=probes.health()))
        async with TestClient(TestServer(app)) as opened:
            yield opened


@pytest.fixture
async def patient_client(
    services: Services, own_postgres: EmbeddedPostgres, valkey_url: str, tmp_path: Path
) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """An API whose pool waits for Postgres as good as for ever."""
    pool = await Database.connect(own_postgres.dsn(), patience_seconds=PATIENT_SECONDS)
    async with TaskQueue.connected(valkey_url) as queue:
        storage = FilesystemStorage(tmp_path)
        probes = Probes(database=pool, queue=queue, local_registry=Registry(pool, storage))
        patient = dataclasses.replace(
            services,
            database=pool,
            authenticator=Authenticator(pool),
            health=probes.health(),
        )
        app = web.Application()
        application.add_routes(app, patient)
        async with TestClient(TestServer(app)) as opened:
            yield opened
    await pool.close()


def problems(answer: Answer) -> dict[str, str]:
    """Parts that do not work, and why."""
    assert answer.status == 200
    components = answer.json["components"]
    unhealthy = [part for part in components if part["status"] == "unhealthy"]
    assert answer.json["status"] == ("unhealthy" if unhealthy else "healthy")
    assert {part["name"] for part in components} >= {"core", "database", "redis", "registry"}
    return {part["name"]: part["error"] for part in unhealthy}


async def test_health_answers_everybody_while_postgres_is_away(
    client: TestClient[web.Request, web.Application], own_postgres: EmbeddedPostgres
) -> None:
    stranger = Caller(client)
    admin = Caller(client, encode_basic_auth("admin", PASSWORD))
    assert problems(await stranger.call("GET", "/health")) == {"jobservice": IDLE}
    assert (await stranger.call("GET", "//readyz")).status == 200

    own_postgres.stop()
    away = {"database": AWAY, "jobservice": AWAY}
    assert problems(await stranger.call("GET", "/health")) == away
    assert problems(await admin.call("GET", "/health")) == away
    assert (await stranger.call("GET", "//healthz")).status == 200
    ready = await stranger.call("GET", "//readyz")
    assert (ready.status, ready.text) == (503, AWAY)
    refused = await admin.call("GET", "/replication/policies")
    assert (refused.status, refused.code) == (503, "SERVICE_UNAVAILABLE")
    assert refused.headers["Retry-After"] == "5"

    own_postgres.start()
    assert problems(await admin.call("GET", "/health")) == {"jobservice": IDLE}
    assert (await stranger.call("GET", "//readyz")).status == 200


async def test_health_waits_for_postgres_no_longer_than_its_parts_may_take(
    patient_client: TestClient[web.Request, web.Application], own_postgres: EmbeddedPostgres
) -> None:
    admin = Caller(patient_client, encode_basic_auth("admin", PASSWORD))
    own_postgres.stop()
    late = f"it did not answer within {health.PROBE_SECONDS:g} seconds"
    async with asyncio.timeout(DEADLINE_SECONDS):
        found = problems(await admin.call("GET", "/health"))
        ready = await admin.call("GET", "//readyz")
    assert found == {"database": late, "jobservice": late}
    assert (ready.status, ready.text) == (503, late)


def test_all_that_health_waits_for_is_three_seconds() -> None:
    assert exchange.IDENTIFY_SECONDS + health.PROBE_SECONDS <= ANSWER_SECONDS


async def test_health_warns_before_the_storage_is_full_and_readiness_does_not_care(
    services: Services, database: Database, valkey_url: str, tmp_path: Path
) -> None:
    storage = FilesystemStorage(tmp_path)
    room = await storage.room()
    assert room is not None
    for share, told in [(0.75, "the storage is nearly full: "), (2, "storage full: ")]:
        reserve = Reserve(least_bytes=int(room.free_bytes * share))
        registry = Registry(database, storage, reserve=reserve)
        async with TaskQueue.connected(valkey_url) as queue:
            probes = Probes(database=database, queue=queue, local_registry=registry)
            app = web.Application()
            application.add_routes(app, dataclasses.replace(services, health=probes.health()))
            async with TestClient(TestServer(app)) as client:
                stranger = Caller(client)
                assert problems(await stranger.call("GET", "/health"))["storage"].startswith(told)
                assert (await stranger.call("GET", "//readyz")).status == 200
