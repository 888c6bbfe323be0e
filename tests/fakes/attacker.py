"""A client without manners: it writes to the socket what no library would."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

LIMIT_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What the server said to it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The first fault's code."""
        code: str = json.loads(self.body)["errors"][0]["code"]
        return code


class Connection:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Send it as it is."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> Answer:
        """Read one answer with a Content-Length."""
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:] if line)
        headers = {name.title(): value.strip() for name, _, value in fields}
        body = await self._reader.readexactly(int(headers.get("Content-Length", "0")))
        return Answer(int(lines[0].split()[1]), headers, body)

    async def some(self) -> bytes:
        """Read what has come, at least one byte."""
        return await self._reader.read(65536)

    async def closed(self) -> None:
        """Wait until the server has hung up."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionResetError:
            pass


@dataclass(frozen=True)
class Attacker:
    """Somebody who has a server's address, and perhaps a password."""

    host: str
    port: int
    password: str | None = None

    def head(self, method: str, target: str, **headers: Any) -> bytes:
        """Return a request's head; the target goes out as it is."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        if self.password is not None:
            encoded = base64.b64encode(f"admin:{self.password}".encode()).decode()
            lines.append(f"Authorization: Basic {encoded}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        """Open a connection."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=LIMIT_BYTES)
        try:
            yield Connection(reader, writer)
        finally:
            writer.transport.abort()

    async def ask(
        self, method: str, target: str, body: bytes | None = None, **headers: Any
    ) -> Answer:
        """Send one request on a connection of its own."""
        if body is not None:
            headers["Content_Length"] = len(body)
        async with self.connected() as connection:
            await connection.send(self.head(method, target, **headers) + (body or b""))
            return await connection.answer()
