"""The whole house as a user starts it, and its API as a user calls it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp

from tests.fakes.registry.server import FakeRegistry

PASSWORD = "correct horse battery staple"
START_SECONDS = 120
RUN_SECONDS = 60
PROGRAM = (sys.executable, "-m", "jobservice.cli.main")


@dataclass(slots=True, kw_only=True)
class House:
    """One `transship up` with data of its own. `environment` is what a user would export."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait for its ready line."""
        log = (self.folder / "log").open("ab")
        command = [*PROGRAM, "up", "--data", str(self.folder / "data"), "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command,
            env=self._variables(),
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=self.folder,
            start_new_session=True,
        )
        log.close()
        assert self.process.stdout is not None
        line = _line_within(self.process.stdout, START_SECONDS)
        assert line.startswith("ready http://"), f"{line!r}; {self.last_words()}"
        self.url = line.removeprefix("ready ").strip()

    def kill(self) -> None:
        """Kill it without a word, as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self._gone()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._gone()

    def last_words(self) -> str:
        """Return the end of its log."""
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def run(
        self, *arguments: str, variables: Mapping[str, str] | None = None, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run `transship` against it, as its administrator."""
        login = {
            "TRANSSHIP_URL": self.url,
            "TRANSSHIP_USERNAME": "admin",
            "TRANSSHIP_PASSWORD": PASSWORD,
        }
        return subprocess.run(
            [*PROGRAM, *arguments],
            env={**self._variables(), **login, **(variables or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
            cwd=self.folder,
        )

    def _variables(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH",) if name in os.environ}  # noqa: TID251 - a user's shell
        settings = {"TRANSSHIP_ADMIN_PASSWORD": PASSWORD, "HOME": str(self.folder)}
        return {**inherited, **settings, **self.environment}

    def _gone(self) -> int:
        assert self.process is not None
        code = self.process.wait(timeout=60)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API said."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def message(self) -> str:
        """The error's sentences."""
        return "; ".join(error["message"] for error in self.body["errors"])

    @property
    def id(self) -> int:
        """The id of what was made."""
        assert self.status == 201, (self.status, self.body)
        return int(self.headers["Location"].rpartition("/")[2])


class Api:
    """The API of a house, as its administrator."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._root = f"{url}/api/v2.0"
        self._session = session

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        """Make one request, whatever comes of it."""
        pair = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
        async with self._session.request(
            method, self._root + path, json=body, headers={"Authorization": f"Basic {pair}"}
        ) as response:
            text = await response.text()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(
                status=response.status,
                headers=response.headers,
                body=json.loads(text) if is_json and text else text,
            )

    async def get(self, path: str) -> Any:
        """Return what is there."""
        answer = await self.call("GET", path)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.body

    async def post(self, path: str, body: object) -> Answer:
        """Post something."""
        return await self.call("POST", path, body)

    async def endpoint(self, name: str, registry: FakeRegistry | str) -> int:
        """Make an endpoint of a registry."""
        url = registry if isinstance(registry, str) else registry.url
        body = {"name": name, "type": "docker-registry", "url": url}
        return (await self.post("/registries", body)).id

    async def policy(self, name: str, **fields: object) -> int:
        """Make a policy that is started by hand."""
        return (await self.post("/replication/policies", policy(name, **fields))).id

    async def start(self, policy_id: int) -> int:
        """Start a policy; return the execution's id."""
        return (await self.post("/replication/executions", {"policy_id": policy_id})).id

    async def ended(self, execution: int, *, seconds: float = RUN_SECONDS) -> dict[str, Any]:
        """Wait until an execution has ended, and return it."""
        deadline = time.monotonic() + seconds
        while True:
            found: dict[str, Any] = await self.get(f"/replication/executions/{execution}")
            if found["status"] != "InProgress":
                return found
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.05)

    async def tasks(self, execution: int) -> list[dict[str, Any]]:
        """Return the tasks of an execution."""
        path = f"/replication/executions/{execution}/tasks?page_size=100"
        tasks: list[dict[str, Any]] = await self.get(path)
        return tasks

    async def log(self, execution: int, task: int) -> str:
        """Return the log of a task."""
        text: str = await self.get(f"/replication/executions/{execution}/tasks/{task}/log")
        return text


def policy(name: str, **fields: object) -> dict[str, object]:
    """Return a policy's body; `source` and `destination` are endpoint ids, 0 this registry."""
    ends = {
        "src_registry": {"id": fields.pop("source", 0)},
        "dest_registry": {"id": fields.pop("destination", 0)},
    }
    usual = {
        "name": name,
        "dest_namespace_replace_count": 0,
        "trigger": {"type": "manual"},
        "override": True,
        "enabled": True,
    }
    return {**usual, **ends, **fields}


def names(pattern: str) -> Sequence[Mapping[str, str]]:
    """Return a filter on repository names."""
    return [{"type": "name", "value": pattern}]


def _line_within(stream: IO[bytes], seconds: float) -> str:
    ready, _, _ = select.select([stream], [], [], seconds)
    assert ready, f"nothing was said within {seconds} s"
    return stream.readline().decode()
