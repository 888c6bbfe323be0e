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


async def test_slow_readers_of_a_large_manifest_take_a_piece_each(
    client: Client, server: TestServer
) -> None:
    body = await large_manifest(client)
    request = (
        f"GET /v2/{steps.REPOSITORY}/manifests/large HTTP/1.1\r\nHost: registry\r\n"
        f"Authorization: {encode_basic_auth('admin', PASSWORD)}\r\n\r\n"
    ).encode()
    async with AsyncExitStack() as readers:
        tracemalloc.start()
        readers.callback(tracemalloc.stop)
        for _ in range(READERS):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1024)
            readers.callback(writer.close)
            writer.write(request)
            async with asyncio.timeout(30):
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        taken = tracemalloc.get_traced_memory()[1]
    assert taken < 4 * len(body), "a dozen of them would be held whole"
