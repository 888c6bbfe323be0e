"""S3 for tests: moto's server in its own process, and before it a proxy that fails on demand."""

from __future__ import annotations

import enum
import io
import re
import subprocess
import sys
import threading
import urllib.parse
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from registry.storage.address import Address

LARGEST = 64 * 1024 * 1024


class Fault(enum.Enum):
    """What becomes of a call."""

    REFUSED = "answered with 503 SlowDown, and not carried out"
    CUT = "the connection ends before the call is carried out"
    UNANSWERED = "carried out, and the connection ends before the answer"
    BROKEN = "carried out, and the connection ends in the middle of the answer"


def none_at_all(call: int) -> Fault | None:
    """Let every call through."""
    del call
    return None


def only(failing: int, fault: Fault) -> Callable[[int], Fault | None]:
    """Fail one call."""
    return lambda call: fault if call == failing else None


@dataclass(kw_only=True)
class Proxy:
    """`calls` lists what was asked, `fault` says for each, from 1, what becomes of it.

    Objects that are `locked` are not deleted; without `deletes_together` that call is unknown.
    """

    upstream: str
    url: str = ""
    locked: set[str] = field(default_factory=set)
    deletes_together: bool = True
    fault: Callable[[int], Fault | None] = none_at_all
    calls: list[str] = field(default_factory=list)

    def restart(self, fault: Callable[[int], Fault | None] = none_at_all) -> None:
        """Count from one again."""
        self.calls.clear()
        self.fault = fault

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass one call on, or fail it."""
        self.calls.append(f"{request.method} {request.rel_url.raw_path_qs}")
        fault = self.fault(len(self.calls))
        if fault is Fault.REFUSED:
            text = "<Error><Code>SlowDown</Code><Message>Please reduce your rate.</Message></Error>"
            return web.Response(status=503, text=text, content_type="application/xml")
        body = await request.read()
        if request.method == "POST" and request.query_string == "delete":
            if not self.deletes_together:
                text = "<Error><Code>NotImplemented</Code><Message>No.</Message></Error>"
                return web.Response(status=501, text=text, content_type="application/xml")
            named = [key for key in _keys(body) if key in self.locked]
            if named:
                return await self._partly(request, body, named)
        if request.method == "DELETE" and self._is_locked(request.path):
            text = "<Error><Code>AccessDenied</Code><Message>It is locked.</Message></Error>"
            return web.Response(status=403, text=text, content_type="application/xml")
        return _cut(request) if fault is Fault.CUT else await self._forward(request, body, fault)

    def _is_locked(self, path: str) -> bool:
        return any(path.endswith(f"/{key}") for key in self.locked)

    async def _partly(
        self, request: web.Request, body: bytes, refused: list[str]
    ) -> web.StreamResponse:
        """Delete what is not locked, and answer as S3 does."""
        rest = "".join(f"<Object><Key>{k}</Key></Object>" for k in _keys(body) if k not in refused)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self.upstream + request.rel_url.raw_path_qs,
                data=f"<Delete>{rest}</Delete>",
                headers={"Authorization": request.headers["Authorization"]},
            ) as gone,
        ):
            assert gone.status == 200
        errors = "".join(
            f"<Error><Key>{key}</Key><Code>AccessDenied</Code>"
            "<Message>It is locked.</Message></Error>"
            for key in refused
        )
        text = f"<DeleteResult>{errors}</DeleteResult>"
        return web.Response(text=text, content_type="application/xml")

    async def _forward(
        self, request: web.Request, body: bytes, fault: Fault | None
    ) -> web.StreamResponse:
        headers = {k: v for k, v in request.headers.items() if k.lower() != "transfer-encoding"}
        url = self.upstream + request.rel_url.raw_path_qs
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, url, data=io.BytesIO(body), headers=headers, allow_redirects=False
            ) as given,
        ):
            content = await given.read()
            if fault is Fault.UNANSWERED:
                return _cut(request)
            kept = {k: v for k, v in given.headers.items() if k.lower() not in _HOP_BY_HOP}
            answer = web.StreamResponse(status=given.status, headers=kept)
            if request.method != "HEAD" and given.status != 204:
                answer.content_length = len(content)
            await answer.prepare(request)
            if fault is Fault.BROKEN:
                await answer.write(content[: len(content) // 2])
                return _cut(request)
            if content:
                await answer.write(content)
            await answer.write_eof()
            return answer


def _keys(body: bytes) -> list[str]:
    return re.findall("<Key>(.*?)</Key>", body.decode())


_HOP_BY_HOP = {"connection", "transfer-encoding", "server", "date"}


def _cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=500)


@asynccontextmanager
async def proxied(upstream: str) -> AsyncIterator[Proxy]:
    """Serve a proxy before an S3."""
    proxy = Proxy(upstream=upstream)
    app = web.Application(client_max_size=LARGEST)
    app.router.add_route("*", "/{rest:.*}", proxy.answer)
    server = TestServer(app)
    await server.start_server()
    proxy.url = str(server.make_url("")).rstrip("/")
    try:
        yield proxy
    finally:
        await server.close()


@contextmanager
def running() -> Iterator[str]:
    """Run moto and yield its URL."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            found = next(
                match
                for line in process.stderr
                if (match := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line))
            )
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield found[1]
        finally:
            process.terminate()


def address(url: str, *, name: str = "", prefix: str = "", tries: int = 2) -> Address:
    """Return the address of a bucket that nobody else has."""
    return Address(
        bucket=name or f"test-{uuid.uuid4().hex}",
        prefix=prefix,
        endpoint=url,
        region="us-east-1",
        path_style=True,
        access_key="test",
        secret_key="test",
        tries=tries,
    )


async def make_bucket(address: Address) -> None:
    """Make the bucket that an address names; moto asks for no signature."""
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{address.endpoint}/{address.bucket}") as answer,
    ):
        assert answer.status == 200


def storage_url(address: Address) -> str:
    """Return the value of TRANSSHIP_STORAGE for it."""
    return f"s3://{address.bucket}/{urllib.parse.quote(address.prefix)}"
