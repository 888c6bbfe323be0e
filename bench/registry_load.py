"""Load for a registry: wrk for what is read, sockets of our own for what is pushed.

And for HEAD: wrk waits for a body.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import re
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bench.measure import CommandFailed
from bench.registry_servers import Subject

WRK: Final = "wrk"
_HEAD: Final = "HEAD"
_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}
_RATE: Final = re.compile(r"Requests/sec:\s+([\d.]+)")
_P99: Final = re.compile(r"99%\s+([\d.]+)(us|ms|s|m)")
_BAD: Final = re.compile(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast requests were answered, and what each cost the server."""

    per_second: float
    p99_milliseconds: float
    cpu_milliseconds: float


def read(
    subject: Subject, path: str, *, method: str, connections: int, seconds: int, accept: str
) -> Pace:
    """Ask for one path as fast as so many connections can; raise CommandFailed for an error."""
    if method == _HEAD:

        async def look(client: Client) -> None:
            status, _ = await client.ask(method, path, accept=accept)
            if status != http.client.OK:
                raise CommandFailed(f"{subject.name}: {method} {path} was answered {status}")

        return write(subject, look, connections=connections, seconds=seconds)
    headers = {**subject.headers, "Accept": accept}
    flags = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = [shutil.which(WRK) or WRK, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    before, started = subject.cpu_seconds(), time.monotonic()
    said = subprocess.run(  # noqa: S603 - the load
        [*command, *flags, f"http://{subject.host}{path}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    wall, used = time.monotonic() - started, subject.cpu_seconds() - before
    rate, p99, bad = _RATE.search(said), _P99.search(said), _BAD.search(said)
    if rate is None or p99 is None or bad:
        raise CommandFailed(f"{subject.name}: {method} {path}: {said}")
    per_second = float(rate[1])
    return Pace(
        per_second=per_second,
        p99_milliseconds=float(p99[1]) * _UNITS[p99[2]],
        cpu_milliseconds=used / (per_second * wall) * 1000,
    )


class Client:
    """One connection; HTTP/1.1 in as few steps as it takes."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._head = "".join(f"{name}: {value}\r\n" for name, value in subject.headers.items())

    async def connect(self) -> None:
        """Open it."""
        host, _, port = self._subject.host.partition(":")
        self._reader, self._writer = await asyncio.open_connection(host, int(port))

    async def ask(
        self, method: str, target: str, body: bytes = b"", media_type: str = "", accept: str = ""
    ) -> tuple[int, Mapping[str, str]]:
        """Send one request; return status and headers, the answer's body is dropped."""
        kind = f"Content-Type: {media_type}\r\n" if media_type else ""
        kind += f"Accept: {accept}\r\n" if accept else ""
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: {self._subject.host}\r\n{self._head}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(": ") for line in lines[1:] if line)
        headers = {name.lower(): value for name, _, value in fields}
        if method != _HEAD:
            await self._reader.readexactly(int(headers.get("content-length", "0")))
        return int(lines[0].split()[1]), headers

    async def push_blob(self, repository: str, content: bytes) -> str:
        """Push a blob with POST and PUT, as most clients do; return its digest."""
        name = f"sha256:{hashlib.sha256(content).hexdigest()}"
        _, headers = await self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        location = headers["location"].removeprefix(f"http://{self._subject.host}")
        mark = "&" if "?" in location else "?"
        octets = "application/octet-stream"
        status, _ = await self.ask("PUT", f"{location}{mark}digest={name}", content, octets)
        if status != 201:  # noqa: PLR2004 - created
            raise CommandFailed(f"{self._subject.name}: a push of a blob was answered {status}")
        return name

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def write(
    subject: Subject, push: Callable[[Client], Awaitable[object]], *, connections: int, seconds: int
) -> Pace:
    """Push as fast as so many connections can."""
    return asyncio.run(_write(subject, push, connections, seconds))


async def _write(
    subject: Subject,
    push: Callable[[Client], Awaitable[object]],
    connections: int,
    seconds: int,
) -> Pace:
    took: list[float] = []
    before, started = subject.cpu_seconds(), time.monotonic()

    async def go_on() -> None:
        client = Client(subject)
        await client.connect()
        while (begun := time.monotonic()) < started + seconds:
            await push(client)
            took.append(time.monotonic() - begun)
        client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(go_on())
    wall, used = time.monotonic() - started, subject.cpu_seconds() - before
    return Pace(
        per_second=len(took) / wall,
        p99_milliseconds=sorted(took)[int(len(took) * 0.99)] * 1000,
        cpu_milliseconds=used / len(took) * 1000,
    )
