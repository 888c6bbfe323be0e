"""What API and workers are made of: the machine's surroundings and the guard are theirs, too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from adapters.base import Endpoint
from config import settings
from database import sealing
from database.pool import Database
from jobservice import composing
from jobservice.composing import Parts
from protocol.credential import Credential
from protocol.errors import Refused, UntrustedCertificate
from tests.fakes import certificates, proxy
from tests.fakes.certificates import Pair
from tests.fakes.proxy import Proxy
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry

HOST = "registry.invalid"
REDIS_PORT = 6390  # nobody connects to it
ENDPOINT = Endpoint(kind="docker-registry", url=f"https://{HOST}")
CREDENTIAL = Credential(username="ann", password="secret")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return certificates.make(tmp_path, HOST)


@pytest.fixture
async def way(pair: Pair) -> AsyncIterator[Proxy]:
    """The proxy before a registry that is nowhere else."""
    door = Door(scheme="basic", username="ann", password="secret", guards_ping=True)
    async with (
        FakeRegistry(door=door, tls=pair.server_context()) as far,
        proxy.running({HOST: int(far.host.rpartition(":")[2])}) as running,
    ):
        yield running


@pytest.fixture
def composed(dsn: str, tmp_path: Path, database: Database) -> Composed:
    del database  # its schema is what matters
    return Composed(dsn, tmp_path / "storage")


class Composed:
    """Composes a server process with an environment."""

    def __init__(self, dsn: str, storage: Path) -> None:
        self._settings = {
            "TRANSSHIP_POSTGRES_DSN": dsn,
            "TRANSSHIP_REDIS_DSN": f"redis://127.0.0.1:{REDIS_PORT}/0",
            "TRANSSHIP_STORAGE": storage.as_uri(),
            "TRANSSHIP_SECRET_KEY": sealing.generate_key(),
        }

    def __call__(self, **environment: str) -> AbstractAsyncContextManager[Parts]:
        given = settings.load(self._settings)
        return composing.composed(given, environment, name="test", connections=2)


async def test_endpoints_are_reached_by_the_proxy_and_believed_by_the_ca(
    composed: Composed, way: Proxy, pair: Pair
) -> None:
    async with composed(HTTPS_PROXY=way.url, SSL_CERT_FILE=str(pair.certificate)) as parts:
        await parts.connector.adapter(ENDPOINT, CREDENTIAL).check()
    assert way.seen
    async with composed(HTTPS_PROXY=way.url) as parts:
        with pytest.raises(UntrustedCertificate):
            await parts.connector.adapter(ENDPOINT, CREDENTIAL).check()


async def test_our_own_servers_are_no_registries(composed: Composed) -> None:
    async with composed() as parts:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
            endpoint = Endpoint(kind="docker-registry", url=f"http://{host}:{REDIS_PORT}")
            with pytest.raises(Refused, match="belongs to this installation"):
                await parts.connector.adapter(endpoint, None).check()
