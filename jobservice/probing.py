"""How the parts of an installation are tried, for the health of it."""

from __future__ import annotations

from dataclasses import dataclass

from database.errors import DatabaseUnavailable
from database.pool import Database
from jobservice.errors import QueueUnavailable
from jobservice.health import Health, Unhealthy
from jobservice.queue import TaskQueue
from jobservice.store import workers
from jobservice.tls import ServerTls
from registry.errors import RegistryStorageError
from registry.service import Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """One method for each part; they raise Unhealthy."""

    database: Database
    queue: TaskQueue
    local_registry: Registry
    server_tls: ServerTls | None = None

    def health(self) -> Health:
        """Return the probes under the names that Harbor gives its components, and `tls`."""
        ours = {"tls": self.tls} if self.server_tls is not None else {}
        return Health(
            probes={
                "core": self.core,
                "database": self.postgres,
                "redis": self.redis,
                "registry": self.registry,
                "storage": self.storage,
                "jobservice": self.jobservice,
                **ours,
            }
        )

    async def core(self) -> None:
        """Whoever reads the answer has the proof."""

    async def postgres(self) -> None:
        """Ask Postgres for something."""
        try:
            async with self.database.connection() as connection:
                await connection.fetchval("SELECT 1")
        except DatabaseUnavailable as error:
            raise Unhealthy("Postgres does not answer") from error

    async def redis(self) -> None:
        """Ask Redis for something."""
        try:
            await self.queue.ping()
        except QueueUnavailable as error:
            raise Unhealthy("Redis does not answer; nothing runs until it does") from error

    async def registry(self) -> None:
        """Look whether this registry's storage is there."""
        try:
            await self.local_registry.storage.check()
        except RegistryStorageError as error:
            raise Unhealthy("the storage of this registry is not there") from error

    async def storage(self) -> None:
        """Look whether there is room, and for a while to come."""
        admission = self.local_registry.admission
        if warning := admission.reserve.warning(await admission.room()):
            raise Unhealthy(warning)

    async def jobservice(self) -> None:
        """Look for a worker that lives."""
        try:
            async with self.database.connection() as connection:
                alive = await workers.count_alive(connection)
        except DatabaseUnavailable as error:
            raise Unhealthy("Postgres does not answer") from error
        if not alive:
            raise Unhealthy("no worker is alive; start one with `transship worker`")

    async def tls(self) -> None:
        """Ask whether the certificate is the one that it should be."""
        if self.server_tls is not None and self.server_tls.problem:
            raise Unhealthy(self.server_tls.problem)
