"""Large answers go out in pieces, and one that breaks off is never taken for a whole one."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import ClientPayloadError, encode_basic_auth
from aiohttp.test_utils import TestServer
from typing_extensions import override

from access.identity import SYSTEM
from database.pool import Database
from protocol.digest import Digest
from protocol.errors import NotFound
from registry.errors import StorageUnavailable
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from registry.stored_object import StoredObject
from tests.integration.registry import steps
from tests.integration.registry.conftest import PASSWORD
from tests.integration.registry.steps import Client

MEBIBYTE = 1024 * 1024
READERS = 12


class Breaking(FilesystemStorage):
    """A storage that gives no files, and breaks after the first chunk when a test says so."""

    breaks = False

    @override
    async def sending(self, stored: StoredObject) -> None:  # type: ignore[override]
        del stored

    @override
    @contextlib.asynccontextmanager
    async def read(
        self, stored: StoredObject, *, offset_bytes: int = 0, length_bytes: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        async with super().read(
            stored, offset_bytes=offset_bytes, length_bytes=length_bytes
        ) as chunks:
            yield self._until_it_breaks(chunks)

    async def _until_it_breaks(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk
            if self.breaks:
                raise StorageUnavailable("get_object broke off 5 times")


@pytest.fixture
def storage(tmp_path: Path) -> Breaking:
    return Breaking(tmp_path)


async def large_manifest(client: Client) -> bytes:
    await steps.push_blob(client, b"{}")
    body = steps.image(b"{}", [], annotations={str(i): "y" * 8000 for i in range(900)})
    assert len(body) > 7_000_000
    assert (await steps.put_manifest(client, body, "large")).status == 201
    return body


async def test_a_blob_that_breaks_off_in_the_middle_ends_with_its_connection(
    client: Client, storage: Breaking
) -> None:
    content = bytes(range(256)) * 16 * 1024
    blob = await steps.push_blob(client, content)
    path = f"/v2/{steps.REPOSITORY}/blobs/{blob}"
    assert (await steps.ask(client, "GET", path)).body == content
    storage.breaks = True
    async with asyncio.timeout(30), client.get(path) as response:
        assert response.status == 200
        with pytest.raises(ClientPayloadError):
            await response.read()
    storage.breaks = False
    assert (await steps.ask(client, "GET", path)).body == content


async def test_a_large_manifest_comes_as_it_was_pushed_by_tag_and_digest(client: Client) -> None:
    body = await large_manifest(client)
    for reference in ("large", str(Digest.of(body))):
        path = f"/v2/{steps.REPOSITORY}/manifests/{reference}"
        answer = await steps.ask(client, "GET", path)
        assert (answer.status, answer.body == body) == (200, True)
        assert answer.headers["Content-Length"] == str(len(body))
        head = await steps.ask(client, "HEAD", path)
        assert head.headers["Content-Length"] == str(len(body))


async def test_a_large_manifest_that_is_deleted_while_it_is_read_ends_with_an_error(
    client: Client, registry: Registry
) -> None:
    body = await large_manifest(client)
    repository = registry.repository(steps.REPOSITORY, SYSTEM)
    found = await repository.find_manifest("large", with_body=True)
    pieces = repository.pieces(found)
    assert body.startswith(await anext(pieces))
    await repository.delete_manifest(found.digest)
    with pytest.raises(NotFound, match="deleted meanwhile"):
        await anext(pieces)


async def begin_to_read(server: TestServer, path: str, readers: AsyncExitStack) -> None:
    """Have a dozen clients ask, read one line of the answer each, and stay."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: registry\r\n"
        f"Authorization: {encode_basic_auth('admin', PASSWORD)}\r\n\r\n"
    ).encode()
    for _ in range(READERS):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
        readers.callback(writer.close)
        writer.write(request)
        async with asyncio.timeout(30):
            assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"


async def test_slow_readers_of_a_large_manifest_take_a_piece_each(
    client: Client, server: TestServer
) -> None:
    body = await large_manifest(client)
    async with AsyncExitStack() as readers:
        tracemalloc.start()
        readers.callback(tracemalloc.stop)
        await begin_to_read(server, f"/v2/{steps.REPOSITORY}/manifests/large", readers)
        taken = tracemalloc.get_traced_memory()[1]
    assert taken < 4 * len(body), "a dozen of them would be held whole"


LONG = f"/v2/{steps.REPOSITORY}/tags/list?n=10000"
MANY_TAGS = """
INSERT INTO registry.tags (repository_id, name, manifest_id)
SELECT m.repository_id, 'v' || lpad(n::text, 127, '0'), m.id
FROM registry.manifests m, generate_series(1, 9999) n
"""


async def test_a_long_list_comes_whole_and_its_head_alike(
    client: Client, database: Database
) -> None:
    await steps.push_image(client, "latest")
    async with database.connection() as connection:
        await connection.execute(MANY_TAGS)
    got, head = await steps.ask(client, "GET", LONG), await steps.ask(client, "HEAD", LONG)
    assert got.json["tags"] == ["latest", *(f"v{number:0127}" for number in range(1, 10_000))]
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "Content-Type"):
        assert got.headers[name] == head.headers[name]
    assert int(got.headers["Content-Length"]) == len(got.body)


async def test_slow_readers_of_a_long_list_hold_little_of_it(
    client: Client, server: TestServer, database: Database
) -> None:
    await steps.push_image(client, "latest")
    async with database.connection() as connection:
        await connection.execute(MANY_TAGS)
    size = int((await steps.ask(client, "HEAD", LONG)).headers["Content-Length"])
    async with AsyncExitStack() as readers:
        tracemalloc.start()
        readers.callback(tracemalloc.stop)
        await begin_to_read(server, LONG, readers)
        held = tracemalloc.get_traced_memory()[0]
    assert held < 3 * size, "a dozen of them would be held whole"
