"""The same rows as a policy through the service: `transship up`, its API, its queue, one worker."""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import tools
from bench.measure import CommandFailed, Run
from bench.rows import Row
from bench.servers import RegistryServer

TO_REGISTRY: Final = "transship, policy"
TO_LOCAL: Final = "transship, policy into itself"
_API: Final = "/api/v2.0"
_TICK: Final = os.sysconf("SC_CLK_TCK")
_READY_SECONDS: Final = 60
_RUN_SECONDS: Final = 300
_POLL_SECONDS: Final = 0.02
_KIBIBYTE: Final = 1024
_LOCAL_ID: Final = 0

Tell = Callable[[Row, str, Run], None]


def measure(
    row: Row, source: RegistryServer, destination: RegistryServer, runs: int, *, tell: Tell
) -> dict[str, list[Run]]:
    """Measure a row as a policy to the other registry and into this one, each time from nothing."""
    found: dict[str, list[Run]] = {TO_REGISTRY: [], TO_LOCAL: []}
    for _ in range(runs):
        destination.wipe()
        with installation() as service:
            upstream = service.endpoint("upstream", source.host)
            peer = service.endpoint("peer", destination.host)
            for kind, end in ((TO_REGISTRY, peer), (TO_LOCAL, _LOCAL_ID)):
                policy = service.policy(kind, row, upstream, end)
                if row.again:
                    service.run(policy)
                source.requests()
                destination.requests()
                run = service.run(policy)
                run = run.with_requests(source.requests().total(), destination.requests().total())
                found[kind].append(run)
                tell(row, kind, run)
    return found


@dataclass(slots=True)
class Service:
    """A running installation, by its API."""

    pid: int
    host: str
    password: str

    def endpoint(self, name: str, host: str) -> int:
        """Make an endpoint and return its id."""
        body = {"name": name, "type": "docker-registry", "url": f"http://{host}"}
        return self._create("/registries", body)

    def policy(self, name: str, row: Row, source: int, destination: int) -> int:
        """Make a policy and return its id."""
        filters = [{"type": "name", "value": row.repository}]
        if row.tag:
            filters.append({"type": "tag", "value": row.tag})
        body = {
            "name": name,
            "src_registry": {"id": source},
            "dest_registry": {"id": destination},
            "filters": filters,
            "trigger": {"type": "manual"},
            "override": True,
            "enabled": True,
        }
        return self._create("/replication/policies", body)

    def run(self, policy: int) -> Run:
        """Run a policy to its end; what the whole installation took meanwhile."""
        before = sum(seconds for seconds, _ in _processes(self.pid))
        started = time.monotonic()
        execution, _ = self.start(policy)
        found = self.ended(execution)
        wall = time.monotonic() - started
        if found["status"] != "Succeed":
            raise CommandFailed(f"policy {policy} ended as {found['status']}: {found}")
        after = list(_processes(self.pid))
        return Run(
            wall_seconds=wall,
            cpu_seconds=sum(seconds for seconds, _ in after) - before,
            peak_bytes=max(peak for _, peak in after),
        )

    def start(self, policy: int) -> tuple[int, float]:
        """Start a policy; return the execution and when that was accepted, by our clock."""
        execution = self._create("/replication/executions", {"policy_id": policy})
        return execution, time.time()

    def ended(self, execution: int) -> dict[str, Any]:
        """Return an execution when it has ended."""
        give_up_at = time.monotonic() + _RUN_SECONDS
        found: dict[str, Any] = {"status": "InProgress"}
        while found["status"] == "InProgress":
            if time.monotonic() > give_up_at:
                raise CommandFailed(f"execution {execution} is not done after {_RUN_SECONDS} s")
            time.sleep(_POLL_SECONDS)
            found = self._ask("GET", f"/replication/executions/{execution}")[1]
        return found

    def _create(self, path: str, body: dict[str, Any]) -> int:
        headers, _ = self._ask("POST", path, body)
        return int(headers["Location"].rpartition("/")[2])

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> tuple[http.client.HTTPMessage, Any]:
        login = base64.b64encode(f"admin:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            sent = json.dumps(body) if body is not None else None
            connection.request(method, _API + path, body=sent, headers=headers)
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status >= http.client.BAD_REQUEST:
            raise CommandFailed(f"{method} {path} answered {answer.status}: {said[:500]!r}")
        return answer.headers, json.loads(said) if said else None


@contextmanager
def installation(*options: str) -> Iterator[Service]:
    """Run `transship up` with data of its own; end it and forget the data."""
    with tempfile.TemporaryDirectory(prefix="transship-bench-") as folder:
        password = secrets.token_urlsafe(18)
        environment = {**tools.environment(Path(folder)), "TRANSSHIP_ADMIN_PASSWORD": password}
        command = [sys.executable, "-m", "jobservice.cli.main", "up", "--listen", "127.0.0.1:0"]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - what is measured
                [*command, "--data", f"{folder}/data", *options],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        try:
            host = _ready(process)
            yield Service(pid=process.pid, host=host, password=password)
        finally:
            process.terminate()
            process.wait(_READY_SECONDS)


def _ready(process: subprocess.Popen[bytes]) -> str:
    """Return the host of the line `ready http…://…`."""
    line = ""
    if process.stdout and select.select([process.stdout], [], [], _READY_SECONDS)[0]:
        line = process.stdout.readline().decode().strip()
    if not line.startswith("ready http"):
        raise CommandFailed(f"transship up did not start: {line!r}")
    return line.partition("://")[2].rstrip("/")


def _processes(pid: int) -> Iterator[tuple[float, int]]:
    """Yield processor seconds and peak bytes of our Python processes under `pid`.

    The embedded Postgres and Valkey count for processor time, not for memory.
    """
    folder = Path(f"/proc/{pid}")
    try:
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        status = (folder / "status").read_text()
        children = [
            int(child)
            for task in (folder / "task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return
    is_python = status.splitlines()[0].split()[1].startswith(("python", "transship"))
    peak = int(status.partition("VmHWM:")[2].split()[0]) * _KIBIBYTE if is_python else 0
    yield (int(fields[11]) + int(fields[12])) / _TICK, peak
    for child in children:
        yield from _processes(child)
