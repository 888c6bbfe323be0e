"""Blobs over TLS of our own: sendfile is of no use there, and what is sent is the same."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import TCPConnector, encode_basic_auth, web
from aiohttp.test_utils import TestClient, TestServer

from access import users
from access.authentication import Authenticator
from database.pool import Database
from registry.http import routes
from registry.service import Registry
from registry.storage.filesystem import ALL_READERS_BYTES, READ_BYTES, FilesystemStorage
from registry.stored_object import StoredObject
from tests.fakes import certificates
from tests.integration.registry import steps
from tests.integration.registry.conftest import PASSWORD, Client

CONTENT = bytes(range(256)) * 20_000  # five pieces, the last one short


@pytest.fixture
async def encrypted(
    database: Database, registry: Registry, tmp_path: Path
) -> AsyncIterator[Client]:
    await users.ensure_admin(database, PASSWORD)
    pair = certificates.make(tmp_path)
    app = web.Application()
    routes.register(app, registry, Authenticator(database))
    server = TestServer(app, scheme="https")
    await server.start_server(ssl=pair.server_context())
    trusting = ssl.create_default_context(cafile=str(pair.certificate))
    headers = {"Authorization": encode_basic_auth("admin", PASSWORD)}
    async with TestClient(server, headers=headers, connector=TCPConnector(ssl=trusting)) as client:
        yield client


async def test_a_blob_comes_whole_and_in_ranges_over_tls(encrypted: Client) -> None:
    path = f"/v2/{steps.REPOSITORY}/blobs/{await steps.push_blob(encrypted, CONTENT)}"
    whole = await steps.ask(encrypted, "GET", path)
    assert (whole.status, whole.body) == (200, CONTENT)
    assert whole.headers["Content-Length"] == str(len(CONTENT))
    part = await steps.ask(encrypted, "GET", path, Range="bytes=1048570-2097160")
    assert (part.status, part.body) == (206, CONTENT[1_048_570:2_097_161])
    assert part.headers["Content-Range"] == f"bytes 1048570-2097160/{len(CONTENT)}"
    beyond = await steps.ask(encrypted, "GET", path, Range=f"bytes={len(CONTENT)}-")
    assert beyond.status == 416


async def test_who_hangs_up_in_the_middle_leaves_the_server_well(encrypted: Client) -> None:
    path = f"/v2/{steps.REPOSITORY}/blobs/{await steps.push_blob(encrypted, CONTENT)}"
    for _ in range(3):
        async with encrypted.get(path) as answer:
            await answer.content.readexactly(100_000)
    assert (await steps.ask(encrypted, "GET", path)).body == CONTENT


async def test_many_readers_together_hold_as_much_as_a_few(
    storage: FilesystemStorage, encrypted: Client, database: Database
) -> None:
    digest = await steps.push_blob(encrypted, bytes(2 * READ_BYTES))
    async with database.connection() as connection:
        key = await connection.fetchval(
            "SELECT storage_key FROM registry.blobs WHERE digest = $1",
            b"\x01" + bytes.fromhex(digest.removeprefix("sha256:")),
        )

    async def held(readers: int) -> int:
        async with AsyncExitStack() as stack:
            opened = [
                await stack.enter_async_context(storage.read(StoredObject(key)))
                for _ in range(readers)
            ]
            return sum([len(await anext(aiter(chunks))) for chunks in opened])

    assert await held(1) == READ_BYTES
    assert await held(128) == ALL_READERS_BYTES
    assert await held(1) == READ_BYTES
