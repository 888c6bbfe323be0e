"""A strict OCI registry in this process, on a real loopback socket, for tests only.

    async with FakeRegistry() as registry:
        image = registry.repository("a/b").put_image("1.0", layers=(b"one", b"two"))
        registry.faults.answer("GET", "blob", 503)
        registry.habits.digest_headers = False
        ...                                         # talk to registry.url
        assert registry.requests.count("GET", "blob") == 2

It refuses what a conformant client never does (chunked transfer encoding, a changed Location,
Authorization at the storage, a Content-Type that differs from `mediaType`), and counts every
request by method and kind: ping, token, manifest, blob, upload, tags, catalog, referrers, storage.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

from aiohttp import web

from tests.fakes.registry import answers, listings, manifests, paths, uploads
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.content import Repository
from tests.fakes.registry.faults import Fault, Faults, Habits
from tests.fakes.registry.state import Hit, State


@dataclass(slots=True)
class Requests:
    """The requests that came, as (method, kind, path with query), in order; when the last did."""

    seen: list[tuple[str, str, str]] = field(default_factory=list)
    last_at: float = 0.0

    def count(self, method: str | None = None, kind: str | None = None) -> int:
        """Count the requests of a method and kind; None counts all."""
        return sum(1 for m, k, _ in self.seen if method in {None, m} and kind in {None, k})

    def by_kind(self) -> Counter[tuple[str, str]]:
        """Count by (method, kind)."""
        return Counter((method, kind) for method, kind, _ in self.seen)

    def clear(self) -> None:
        """Begin to count anew."""
        self.seen.clear()


class FakeRegistry:
    """The registry; open it with `async with`. Attributes may be changed while it serves."""

    def __init__(
        self,
        *,
        habits: Habits | None = None,
        door: Door | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.state = State(habits=habits or Habits())
        self.door = door or Door()
        self.faults = Faults()
        self.requests = Requests()
        self.url = ""
        self._tls = tls
        self._runners: list[web.AppRunner] = []

    @property
    def habits(self) -> Habits:
        """How it always is."""
        return self.state.habits

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as image references write it."""
        return self.url.partition("://")[2]

    def repository(self, name: str) -> Repository:
        """Give the repository of that name; it is made when it is not there."""
        return self.state.repository(name)

    @property
    def repositories(self) -> dict[str, Repository]:
        """All repositories by name."""
        return self.state.repositories

    @property
    def open_uploads(self) -> int:
        """How many upload sessions are neither committed nor cancelled."""
        return len(self.state.uploads)

    async def __aenter__(self) -> Self:
        self.url = await self._listen(self._handle)
        self.state.base_url = self.url
        self.state.storage_url = await self._listen(self._handle_storage)
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _listen(self, handler: answers.Handler) -> str:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"{'http' if self._tls is None else 'https'}://{host}:{port}"

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        hit = paths.classify(request)
        self.requests.seen.append((request.method, hit.kind, request.raw_path))
        self.requests.last_at = monotonic()
        fault = self.faults.take(request.method, hit.kind)
        if fault is not None and fault.hold is not None and fault.drip_bytes is None:
            await fault.hold.wait()
        if fault is not None and fault.status is not None:
            return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
        if hit.kind == "token":
            return await self.door.token(request)
        if not self.door.admits(request, hit.kind, hit.scope):
            return self.door.refuse(self.url, hit.kind, hit.scope)
        answer = await self._answer(request, hit, fault)
        self._dress(answer)
        return await answers.deliver(request, answer, fault)

    async def _answer(self, request: web.Request, hit: Hit, fault: Fault | None) -> web.Response:
        match "html" if self.habits.html_everywhere else hit.kind:
            case "html":
                return web.Response(text="<html>Please sign in</html>", content_type="text/html")
            case "manifest":
                return await manifests.handle(self.state, request, hit)
            case "blob":
                return uploads.blob(self.state, request, hit)
            case "upload":
                return await uploads.handle(self.state, request, hit, fault)
            case "tags" | "catalog" | "referrers":
                return listings.handle(self.state, request, hit)
            case _:
                return answers.ping(hit.kind)

    def _dress(self, answer: web.Response) -> None:
        habits = self.habits
        if habits.warning is not None:
            answer.headers["Warning"] = f'299 - "{habits.warning}"'
        if "Docker-Content-Digest" in answer.headers:
            if not habits.digest_headers:
                del answer.headers["Docker-Content-Digest"]
            elif habits.lying_digest_header is not None:
                answer.headers["Docker-Content-Digest"] = habits.lying_digest_header

    async def _handle_storage(self, request: web.Request) -> web.StreamResponse:
        self.requests.seen.append((request.method, "storage", request.raw_path))
        fault = self.faults.take(request.method, "storage")
        if fault is not None and fault.status is not None:
            return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
        return await answers.deliver(request, uploads.storage(self.state, request), fault)


async def wait_until(event: asyncio.Event, *, seconds: float = 5) -> None:
    """Wait for a signal with a deadline."""
    async with asyncio.timeout(seconds):
        await event.wait()
