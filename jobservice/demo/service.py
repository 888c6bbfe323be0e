"""The job service as the demo's user: through its API, and nothing else."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Protocol

from jobservice.demo.errors import DemoFailed
from jobservice.demo.measured import Measured
from jobservice.demo.peers import Peer

LOCAL = 0
_POLL_SECONDS = 0.1
_RUN_SECONDS = 120


class Api(Protocol):
    """What the demo asks of an API client."""

    async def get(self, path: str, **query: object) -> Any:
        """Return what is there."""
        ...

    async def create(self, path: str, body: dict[str, Any]) -> str:
        """Post something new and return its id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A policy to make: everything beneath `namespace` goes from one endpoint to another."""

    name: str
    source: int
    destination: int
    namespace: str
    destination_namespace: str


class Service:
    """A running instance, by its API."""

    def __init__(self, api: Api) -> None:
        self._api = api

    async def add_endpoint(self, name: str, peer: Peer) -> int:
        """Make an endpoint for a registry; the service tries it first."""
        body: dict[str, Any] = {"name": name, "type": "docker-registry", "url": peer.url}
        if peer.credential is not None:
            body["credential"] = {
                "type": "basic",
                "access_key": peer.credential.username,
                "access_secret": peer.credential.password,
            }
        return int(await self._api.create("/registries", body))

    async def add_layouts(self, name: str, url: str) -> int:
        """Make an endpoint for a folder of OCI layouts."""
        body = {"name": name, "type": "oci-layout", "url": url}
        return int(await self._api.create("/registries", body))

    async def add_project(self, name: str) -> None:
        """Make a project that clients may push to."""
        await self._api.create("/projects", {"project_name": name})

    async def add_policy(self, route: Route) -> int:
        """Make a policy that is started by hand."""
        body = {
            "name": route.name,
            "src_registry": {"id": route.source},
            "dest_registry": {"id": route.destination},
            "dest_namespace": route.destination_namespace,
            "dest_namespace_replace_count": 1,
            "filters": [{"type": "name", "value": f"{route.namespace}/**"}],
            "trigger": {"type": "manual"},
            "override": True,
            "enabled": True,
        }
        return int(await self._api.create("/replication/policies", body))

    async def run(self, policy: int) -> Measured:
        """Run a policy to its end; raise DemoFailed unless every task succeeded."""
        begun = time.monotonic()
        started = await self._api.create("/replication/executions", {"policy_id": policy})
        path = f"/replication/executions/{started}"
        execution = await self._ended(path)
        if execution["status"] != "Succeed":
            raise DemoFailed(await self._reasons(path, execution))
        tasks = await self._api.get(f"{path}/tasks", page_size=100)
        return Measured.of(execution, tasks, seconds=time.monotonic() - begun)

    async def _ended(self, path: str) -> dict[str, Any]:
        deadline = time.monotonic() + _RUN_SECONDS
        while True:
            execution: dict[str, Any] = await self._api.get(path)
            if execution["status"] != "InProgress":
                return execution
            if time.monotonic() > deadline:
                raise DemoFailed(f"an execution took more than {_RUN_SECONDS} s: {execution}")
            await asyncio.sleep(_POLL_SECONDS)

    async def _reasons(self, path: str, execution: dict[str, Any]) -> str:
        tasks = await self._api.get(f"{path}/tasks", page_size=100)
        failed = [f"{t['src_resource']}: {t['status']}" for t in tasks if t["status"] != "Succeed"]
        text = execution.get("status_text") or "no reason given"
        return f"execution {execution['id']} is {execution['status']}: {text}; {'; '.join(failed)}"
