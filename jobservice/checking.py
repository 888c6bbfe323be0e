"""Trying registries: whether one answers and lets us in, remembered for those that have a row."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from adapters.base import Endpoint
from adapters.errors import AdapterError
from database.errors import SealError
from database.pool import Database
from jobservice.connecting import Connector, described
from jobservice.domain.endpoint import EndpointStatus, StoredEndpoint
from jobservice.errors import UnhealthyEndpoint
from jobservice.store import endpoints as rows
from protocol.credential import Credential
from protocol.errors import ProtocolError

CHECK_SECONDS = 30

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checker:
    """Tries one registry at a time."""

    database: Database
    connector: Connector

    async def check(self, endpoint: Endpoint, credential: Credential | None) -> None:
        """Return when the registry answers and lets us in; raise UnhealthyEndpoint."""
        where = endpoint.url or endpoint.name
        try:
            adapter = self.connector.adapter(endpoint, credential)
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    await adapter.check()
            finally:
                await adapter.close()
        except TimeoutError as error:
            reason = f"it did not answer within {CHECK_SECONDS} seconds"
            raise UnhealthyEndpoint(url=where, reason=reason) from error
        except (ProtocolError, AdapterError) as error:
            raise UnhealthyEndpoint(url=where, reason=str(error)) from error

    async def check_stored(self, stored: StoredEndpoint) -> None:
        """Try a remembered registry and remember what was found; raise UnhealthyEndpoint."""
        try:
            await self._check_stored(stored)
        except UnhealthyEndpoint as error:
            await self._remember(stored, EndpointStatus.UNHEALTHY, error.reason)
            raise
        await self._remember(stored, EndpointStatus.HEALTHY, "")

    async def _check_stored(self, stored: StoredEndpoint) -> None:
        try:
            credential = self.connector.credential(stored)
        except SealError as error:
            raise UnhealthyEndpoint(url=stored.settings.url, reason=str(error)) from error
        await self.check(described(stored.settings), credential)

    async def _remember(self, stored: StoredEndpoint, status: EndpointStatus, reason: str) -> None:
        async with self.database.connection() as connection:
            await rows.set_status(connection, stored, status)
        if status is not stored.status:
            log.info("endpoint_status", endpoint=stored.id, status=status.value, reason=reason)
