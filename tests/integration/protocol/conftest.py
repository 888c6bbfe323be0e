from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from protocol.client.registry import RegistryClient
from protocol.client.repository import RemoteRepository
from protocol.transport import Timeouts, Transport
from tests.fakes import certificates
from tests.fakes.registry.server import FakeRegistry
from tests.integration.protocol.connecting import IMPATIENT


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


@pytest.fixture
def pair(tmp_path: Path) -> certificates.Pair:
    """A certificate of 127.0.0.1 that nobody trusts yet."""
    return certificates.make(tmp_path)


@pytest.fixture
async def encrypted(pair: certificates.Pair) -> AsyncIterator[FakeRegistry]:
    """The fake, over TLS with that certificate."""
    async with FakeRegistry(tls=pair.server_context()) as fake:
        yield fake
