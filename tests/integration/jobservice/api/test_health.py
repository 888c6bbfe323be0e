"""What the installation says about itself, also while Postgres is away."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from database import migrations
from database.pool import Database
from jobservice.api import application
from jobservice.api.services import Services
from jobservice.probing import Probes
from jobservice.queue import TaskQueue
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.jobservice.api.caller import PASSWORD, Answer, Caller

PATIENCE_SECONDS = 0.3
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
