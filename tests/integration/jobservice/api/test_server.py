"""What no handler is reached by is answered in the shape of all errors, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from jobservice.api import server, server_log

SECRET = "hunter2"


async def broken(request: web.Request) -> web.StreamResponse:
    """Have a defect."""
    raise ZeroDivisionError(request.path)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/v2/", broken)
    runner = server.Runner(app, logger=server_log.server_logger())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()


async def answer(port: int, request: bytes) -> tuple[int, str, dict[str, str]]:
    """Send bytes; return status, content type and the one error. The server has to hang up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(30):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    (error,) = json.loads(body)["errors"]
    return int(lines[0].split()[1]), headers["content-type"].partition(";")[0], error


@pytest.mark.parametrize(
    ("request_bytes", "why"),
    [
        (b"GET /v2/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "longer than 8190 bytes"),
        (b"GET /api/v2.0/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "longer than 8190"),
        (b"GET /v2/ HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", "a header field"),
        (b"FROBNICATE /v2/ HTTP/1.1\r\nHost: x\r\n\r\n", "method"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, "method"),
        (b"GET /api/v2.0/ping HTTP/9.9\r\nHost: x\r\n\r\n", "HTTP/1.1"),
    ],
)
async def test_what_cannot_be_read_is_told_so_in_the_shape_of_all_errors(
    port: int, request_bytes: bytes, why: str
) -> None:
    status, kind, error = await answer(port, request_bytes)
    assert (status, kind, error["code"]) == (400, "application/json", "BAD_REQUEST")
    assert why in error["message"]


async def test_what_cannot_be_read_is_not_sent_back(port: int) -> None:
    line = f"GET /v2/?password={SECRET}{'a' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n"
    _, _, error = await answer(port, line.encode())
    assert SECRET not in json.dumps(error)


async def test_a_defect_is_told_without_its_words(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    status, kind, error = await answer(port, b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, kind, error["code"]) == (500, "application/json", "UNKNOWN")
    assert error["message"] == "internal server error; the log has it"
    assert any(record.exc_info for record in caplog.records)
