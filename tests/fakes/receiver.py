"""A strict receiver of hooks: it checks what it gets as a careful user would, and can misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web
from aiohttp.test_utils import TestServer

FRESH_SECONDS = 300
CONTENT_TYPES = {
    "application/json",
    "application/cloudevents+json",
    "application/vnd.docker.distribution.events.v2+json",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message."""

    headers: Mapping[str, str]
    body: Any

    @property
    def event_id(self) -> str:
        return self.headers["X-Transship-Event-Id"]

    @property
    def event_type(self) -> str:
        return self.headers["X-Transship-Event-Type"]


@dataclass(slots=True, kw_only=True)
class Receiver:
    """Keeps every message that it accepted; `problems` is what was wrong with the others.

    `fails` answers 500 that many times, `answers` another status for good, `hangs` never answers.
    """

    secret: str | None = None
    authorization: str | None = None
    fails: int = 0
    answers: int = 200
    answer_headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False
    tries: int = 0
    accepted: list[Received] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    server: TestServer | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self.server = TestServer(app)
        await self.server.start_server()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hangs = False
        assert self.server is not None
        await self.server.close()

    @property
    def url(self) -> str:
        assert self.server is not None
        return str(self.server.make_url("/hook"))

    @property
    def event_ids(self) -> set[str]:
        """The events heard of; a careful receiver drops what it has heard before."""
        return {one.event_id for one in self.accepted}

    async def heard(self, condition: Callable[[Receiver], bool], seconds: float = 20) -> None:
        """Return when the condition holds; fail after the deadline."""
        async with asyncio.timeout(seconds), self.arrived:
            await self.arrived.wait_for(lambda: condition(self))

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.tries += 1
        if self.hangs:
            await self._tell()
            await asyncio.sleep(3600)
        if self.fails > 0:
            self.fails -= 1
            await self._tell()
            return web.Response(status=500, text="not today, Bearer abcdefgh12345678")
        problems = list(self._wrong(request, body))
        self.problems += problems
        if not problems and self.answers < 300:
            headers = dict(request.headers)
            self.accepted.append(Received(headers=headers, body=json.loads(body)))
        await self._tell()
        status = 400 if problems else self.answers
        return web.Response(status=status, headers=self.answer_headers, text="; ".join(problems))

    async def _tell(self) -> None:
        async with self.arrived:
            self.arrived.notify_all()

    def _wrong(self, request: web.Request, body: bytes) -> list[str]:
        found = []
        if request.method != "POST":
            found.append(f"{request.method} instead of POST")
        if request.content_type not in CONTENT_TYPES:
            found.append(f"content type {request.content_type}")
        if request.headers.get("Authorization") != self.authorization:
            found.append("wrong Authorization")
        if self.secret is not None:
            found += verify(self.secret, request.headers.get("X-Transship-Signature", ""), body)
        elif "X-Transship-Signature" in request.headers:
            found.append("signed without a secret")
        return found


def verify(secret: str, header: str, body: bytes) -> list[str]:
    """Return what is wrong with a signature, as docs/hooks.md says how to look."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    signed = parts.get("t", "").encode() + b"." + body
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, parts.get("v1", "")):
        return ["wrong signature"]
    if abs(time.time() - int(parts["t"])) > FRESH_SECONDS:
        return ["too old"]
    return []
