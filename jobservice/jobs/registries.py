"""The registries that tasks talk to: opened once for an execution, shared by its tasks."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol
from weakref import WeakValueDictionary

from adapters.base import Adapter, Endpoint
from database.pool import Database
from jobservice.coordination import RateLimits
from jobservice.domain.endpoint import LOCAL_ID, StoredEndpoint
from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint
from jobservice.errors import EndpointChanged
from jobservice.jobs.request_rates import RequestRates
from jobservice.store import endpoints as endpoints_store
from protocol.credential import Credential
from protocol.gate import Gate
from replication.context import CopyContext
from replication.memory import DestinationMemory
from replication.turns import Turns

_IDLE_PAIRS: Final = 8


class Connector(Protocol):
    """What is needed to build adapters; jobservice.connecting has it."""

    def adapter(
        self, endpoint: Endpoint, credential: Credential | None, gate: Gate | None = None
    ) -> Adapter:
        """Return an adapter; whoever asked for it closes it."""
        ...

    def credential(self, stored: StoredEndpoint) -> Credential | None:
        """Open the sealed secret of an endpoint."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both ends of an execution, and what its transfers know in common."""

    source: Adapter
    destination: Adapter
    context: CopyContext

    async def close(self) -> None:
        """Close both ends."""
        try:
            await self.source.close()
        finally:
            await self.destination.close()


class Registries:
    """Pairs by execution. The unused ones are closed, the longest unused first."""

    def __init__(
        self, database: Database, connector: Connector, rates: RateLimits | None = None
    ) -> None:
        self._rates = RequestRates(database, rates) if rates is not None else None
        self._database = database
        self._connector = connector
        self._open: dict[int, Pair] = {}
        self._users: dict[int, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()
        self._turns = Turns()
        # Shared by executions to the same registry, for as long as one of them is open.
        self._memories: WeakValueDictionary[int, DestinationMemory] = WeakValueDictionary()

    @asynccontextmanager
    async def pair(self, execution_id: int, snapshot: PolicySnapshot) -> AsyncIterator[Pair]:
        """Hand out both ends; raise EndpointChanged, UnknownKind, BrokenPlugin."""
        self._users[execution_id] = self._users.get(execution_id, 0) + 1
        self._idle.pop(execution_id, None)
        try:
            async with self._turns.turn(execution_id):
                if execution_id not in self._open:
                    self._open[execution_id] = await self._connect(snapshot)
            yield self._open[execution_id]
        finally:
            await self._release(execution_id)

    @asynccontextmanager
    async def alone(self, end: SnapshotEndpoint) -> AsyncIterator[Adapter]:
        """Hand out one registry; raise EndpointChanged, UnknownKind, BrokenPlugin."""
        async with contextlib.AsyncExitStack() as stack:
            adapter = await self._adapter(end)
            stack.push_async_callback(adapter.close)
            yield adapter

    async def close(self) -> None:
        """Close everything; nobody may be using it."""
        async with contextlib.AsyncExitStack() as stack:
            for pair in self._open.values():
                stack.push_async_callback(pair.close)
            self._open.clear()
            self._idle.clear()

    async def _release(self, execution_id: int) -> None:
        self._users[execution_id] -= 1
        if self._users[execution_id]:
            return
        del self._users[execution_id]
        if execution_id in self._open:
            self._idle[execution_id] = None
        while len(self._idle) > _IDLE_PAIRS:
            oldest, _ = self._idle.popitem(last=False)
            await self._open.pop(oldest).close()

    async def _connect(self, snapshot: PolicySnapshot) -> Pair:
        source = await self._adapter(snapshot.source)
        try:
            destination = await self._adapter(snapshot.destination)
        except BaseException:
            await source.close()
            raise
        key = snapshot.destination.endpoint_id
        memory = self._memories.setdefault(key, DestinationMemory())
        return Pair(source=source, destination=destination, context=CopyContext(memory=memory))

    async def _adapter(self, end: SnapshotEndpoint) -> Adapter:
        endpoint = Endpoint(kind=end.kind, url=end.url, name=end.name, insecure=end.insecure)
        if end.endpoint_id == LOCAL_ID:
            return self._connector.adapter(endpoint, None)
        async with self._database.connection() as connection:
            stored = await endpoints_store.get(connection, end.endpoint_id)
        # The secret belongs to the address it was given for and goes nowhere else.
        if stored is None or (stored.settings.kind, stored.settings.url) != (end.kind, end.url):
            raise EndpointChanged(end.name, end.url)
        trusting = replace(endpoint, ca_certificate=stored.settings.ca_certificate)
        gate = await self._rates.gate(stored.id) if self._rates is not None else None
        return self._connector.adapter(trusting, self._connector.credential(stored), gate)
