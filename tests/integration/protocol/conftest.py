from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from protocol.client.registry import RegistryClient
from protocol.client.repository import RemoteRepository
from protocol.retrying import Patience
from protocol.transport import Timeouts, Transport
from tests.fakes.registry.server import FakeRegistry

IMPATIENT = Patience(attempts=3, first_pause_seconds=0.001, longest_pause_seconds=0.002)


@pytest.fixture
async def registry() -> AsyncIterator[FakeRegistry]:
    async with FakeRegistry() as fake:
        yield fake


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    timeouts = Timeouts(connect_seconds=2, stall_seconds=5, answer_seconds=5)
    async with Transport(timeouts=timeouts) as opened:
        yield opened


@pytest.fixture
async def client(registry: FakeRegistry, transport: Transport) -> AsyncIterator[RegistryClient]:
    async with RegistryClient(transport, url=registry.url, patience=IMPATIENT) as opened:
        yield opened


@pytest.fixture
def repository(client: RegistryClient) -> RemoteRepository:
    """`a/b` of the fake, through the client."""
    return client.repository("a/b")
