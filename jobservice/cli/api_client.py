"""A server's API as the commands use it, over the one outgoing HTTP door."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

from yarl import URL

from config import environment
from jobservice.cli import contexts
from jobservice.cli.contexts import Login
from jobservice.cli.errors import CommandError
from jobservice.cli.exit_codes import ExitCode
from protocol.answer import Answer
from protocol.request import Request
from protocol.surroundings import Surroundings
from protocol.transport import Transport

ROOT: Final = "/api/v2.0"
ANSWER_LIMIT_BYTES: Final = 64 * 1024 * 1024
PAGE_SIZE: Final = 100
CODES: Final = {401: ExitCode.DENIED, 403: ExitCode.DENIED, 404: ExitCode.NOT_FOUND}
FIRST_ERROR: Final = 400
BAD_REQUEST: Final = 400
SERVER_ERROR: Final = 500

Json = dict[str, Any]
Result = TypeVar("Result")


class ServerError(CommandError):
    """The server refused; `status` is HTTP's."""

    def __init__(self, message: str, *, status: int) -> None:
        code = CODES.get(status, ExitCode.FAILED)
        if status >= SERVER_ERROR:
            code = ExitCode.UNREACHABLE
        elif status == BAD_REQUEST:
            code = ExitCode.USAGE
        super().__init__(message, code=code)
        self.status = status


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: its headers and its body."""

    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the parsed body; None when there is none."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiClient:
    """Requests as one user; every refusal is a ServerError with the server's own words."""

    transport: Transport
    login: Login

    async def get(self, path: str, **query: object) -> Any:
        """Return what is there."""
        return (await self.send("GET", path, query=query)).json()

    async def text(self, path: str) -> str:
        """Return a log."""
        return (await self.send("GET", path)).body.decode(errors="replace")

    async def create(self, path: str, body: Json) -> str:
        """Post something new and return the last part of its Location, its id."""
        reply = await self.send("POST", path, body=body)
        return reply.headers.get("Location", "").rpartition("/")[2]

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Json | None = None,
    ) -> Reply:
        """Send one request below /api/v2.0 and return the good answer; raise ServerError."""
        request = self._request(method, path, query or {}, body)
        async with await self.transport.send(request) as answer:
            content = await answer.read(ANSWER_LIMIT_BYTES)
            if answer.status >= FIRST_ERROR:
                raise _refusal(self.login, request, answer, content)
            return Reply(answer.headers, content)

    @asynccontextmanager
    async def opened(
        self, path: str, *, query: Mapping[str, object], headers: Mapping[str, str]
    ) -> AsyncIterator[Answer]:
        """Open an answer that goes on, to be read as it comes; raise ServerError."""
        request = self._request("GET", path, query, None)
        async with self._open(replace(request, headers={**request.headers, **headers})) as answer:
            yield answer

    @asynccontextmanager
    async def told(
        self, path: str, *, query: Mapping[str, object], body: Json | None
    ) -> AsyncIterator[Answer]:
        """Open a long answer, to be read as it comes: to a GET, or with a body to a POST."""
        async with self._open(
            self._request("GET" if body is None else "POST", path, query, body)
        ) as answer:
            yield answer

    @asynccontextmanager
    async def _open(self, request: Request) -> AsyncIterator[Answer]:
        async with await self.transport.send(request) as answer:
            if answer.status >= FIRST_ERROR:
                content = await answer.read(ANSWER_LIMIT_BYTES)
                raise _refusal(self.login, request, answer, content)
            yield answer

    def _request(
        self, method: str, path: str, query: Mapping[str, object], body: Json | None
    ) -> Request:
        parameters = {name: value for name, value in query.items() if value is not None}
        suffix = f"?{urlencode(parameters)}" if parameters else ""
        return Request(
            operation=f"{method} {path}",
            method=method,
            url=URL(f"{self.login.url}{ROOT}{path}{suffix}", encoded=True),
            headers=self._headers(body is not None),
            body=json.dumps(body).encode() if body is not None else None,
        )

    async def listed(self, path: str, **query: object) -> list[Json]:
        """Return every row of a list, page after page."""
        rows: list[Json] = []
        page = 1
        while True:
            found: list[Json] = await self.get(path, page=page, page_size=PAGE_SIZE, **query) or []
            rows += found
            if len(found) < PAGE_SIZE:
                return rows
            page += 1

    async def named(self, path: str, name_or_id: str, *, what: str) -> Json:
        """Return the one thing of this name, or of this id when it is a number."""
        if name_or_id.isdecimal():
            found: Json = await self.get(f"{path}/{name_or_id}")
            return found
        rows = await self.listed(path, q=f"name={name_or_id}")
        for row in rows:
            if row.get("name") == name_or_id:
                return row
        raise ServerError(f"{self.login.url} has no {what} named {name_or_id}", status=404)

    def _headers(self, has_body: bool) -> dict[str, str]:  # noqa: FBT001 - private
        pair = f"{self.login.username}:{self.login.password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return headers | ({"Content-Type": "application/json"} if has_body else {})


@asynccontextmanager
async def connected(login: Login | None = None) -> AsyncIterator[ApiClient]:
    """Open a client for `login`, or for the server that this command is about."""
    variables = environment.read()
    surroundings = Surroundings.of(variables, home=Path.home(), user_id=os.geteuid())
    async with Transport(surroundings) as transport:
        yield ApiClient(transport=transport, login=login or contexts.current(variables))


def asked(ask: Callable[[ApiClient], Awaitable[Result]]) -> Result:
    """Return what is asked of the server that the environment or a login names."""

    async def within() -> Result:
        async with connected() as client:
            return await ask(client)

    return asyncio.run(within())


def segment(text: str) -> str:
    """Return a name as one part of a path."""
    return quote(text, safe="")


def _refusal(login: Login, request: Request, answer: Answer, content: bytes) -> ServerError:
    try:
        told = "; ".join(error["message"] for error in json.loads(content)["errors"])
    except (ValueError, KeyError, TypeError):
        told = content[:200].decode(errors="replace") or "no reason given"
    hint = f"; run `transship login {login.url}`" if answer.status == 401 else ""  # noqa: PLR2004 - HTTP
    asked = f"{login.url} refused {request.operation} as {login.username}"
    return ServerError(f"{asked} ({answer.status}): {told}{hint}", status=answer.status)
