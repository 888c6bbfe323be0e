"""This registry on a real Postgres and a folder, served on loopback; `client` is its admin."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from access import users
from access.authentication import Authenticator
from database.pool import Database
from registry.http import routes
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage

PASSWORD = "correct horse"
Client = TestClient[web.Request, web.Application]


@pytest.fixture
def storage(tmp_path: Path) -> FilesystemStorage:
    return FilesystemStorage(tmp_path)


@pytest.fixture
def registry(database: Database, storage: FilesystemStorage) -> Registry:
    return Registry(database, storage)


@pytest.fixture
async def server(database: Database, registry: Registry) -> AsyncIterator[TestServer]:
    await users.ensure_admin(database, PASSWORD)
    app = web.Application()
    routes.register(app, registry, Authenticator(database))
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def client(
    server: TestServer,
) -> AsyncIterator[Client]:
    headers = {"Authorization": encode_basic_auth("admin", PASSWORD)}
    client = TestClient(server, headers=headers)
    yield client
    await client.session.close()


@pytest.fixture
async def anonymous(
    server: TestServer,
) -> AsyncIterator[Client]:
    client = TestClient(server)
    yield client
    await client.session.close()
