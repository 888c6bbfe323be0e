from __future__ import annotations

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from protocol.client.registry import RegistryClient, base_url
from protocol.errors import (
    InvalidInput,
    RateLimited,
    Refused,
    Unreachable,
    UntrustedCertificate,
)
from protocol.surroundings import Proxies, Surroundings
from protocol.transport import Timeouts, Transport, resolve
from tests.fakes import certificates
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.protocol.connecting import client_of


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ----- no answer -----------------------------------------------------------------------------


async def test_an_unknown_host_is_said_and_not_tried_again(transport: Transport) -> None:
    with pytest.raises(Unreachable, match=r"the host registry\.invalid is unknown") as caught:
        await client_of("https://registry.invalid", transport).ping()
    assert caught.value.transient is False


async def test_a_refused_connection_is_said(transport: Transport, unused_port: int) -> None:
    with pytest.raises(Unreachable, match=f"127.0.0.1:{unused_port}: Connection refused"):
        await client_of(f"http://127.0.0.1:{unused_port}", transport).ping()


async def test_tls_towards_a_plain_server_is_said(
    registry: FakeRegistry, transport: Transport
) -> None:
    with pytest.raises(Unreachable, match="does not speak TLS; for plain HTTP write http:"):
        await client_of(registry.url.replace("http", "https"), transport).ping()


async def test_a_connection_that_dies_is_tried_again(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.faults.add(Fault(method="GET", kind="ping", reset_after_commit=True, times=2))
    await client.ping()
    registry.faults.add(Fault(method="GET", kind="ping", reset_after_commit=True, times=-1))
    with pytest.raises(Unreachable, match="broke the connection"):
        await client.ping()


async def test_a_server_that_never_answers_is_given_up(registry: FakeRegistry) -> None:
    never = asyncio.Event()
    registry.faults.add(Fault(method="GET", kind="ping", hold=never, times=-1))
    async with Transport(timeouts=Timeouts(stall_seconds=0.1)) as transport:
        with pytest.raises(Unreachable, match="no progress"):
            await client_of(registry.url, transport).ping()
    never.set()


async def test_a_host_that_asks_for_quiet_gets_it_from_all_clients(
    registry: FakeRegistry, transport: Transport
) -> None:
    registry.faults.too_many_requests("GET", "ping", retry_after="1")
    begun = time.monotonic()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(client_of(registry.url, transport).ping())
        await asyncio.wait([first], timeout=0.2)
        group.create_task(client_of(registry.url, transport).ping())
    assert time.monotonic() - begun >= 1
    assert registry.requests.count("GET", "ping") == 3


async def test_a_long_wait_is_the_callers_and_holds_nobody_up(
    registry: FakeRegistry, client: RegistryClient
) -> None:
    registry.faults.too_many_requests("GET", "ping", retry_after="3600")
    with pytest.raises(RateLimited):
        await client.ping()
    await client.ping()


# ----- certificates --------------------------------------------------------------------------


async def test_an_unknown_certificate_is_not_trusted_and_the_ca_is_named(
    encrypted: FakeRegistry, transport: Transport
) -> None:
    with pytest.raises(UntrustedCertificate, match="not trusted by the system's CA"):
        await client_of(encrypted.url, transport).ping()


async def test_insecure_is_each_endpoints_own(
    encrypted: FakeRegistry, transport: Transport
) -> None:
    await client_of(encrypted.url, transport, insecure=True).ping()
    with pytest.raises(UntrustedCertificate):
        await client_of(encrypted.url, transport).ping()


@pytest.mark.parametrize("as_text", [True, False])
async def test_an_endpoint_may_bring_its_ca(
    encrypted: FakeRegistry, transport: Transport, pair: certificates.Pair, *, as_text: bool
) -> None:
    ca = pair.certificate.read_text() if as_text else str(pair.certificate)
    await client_of(encrypted.url, transport, ca_certificate=ca).ping()


async def test_ssl_cert_file_is_the_ca_and_is_named(
    encrypted: FakeRegistry, pair: certificates.Pair, tmp_path: Path
) -> None:
    around = Surroundings(ca_file=str(pair.certificate))
    async with Transport(around) as transport:
        await client_of(encrypted.url, transport).ping()
    other = tmp_path / "other"
    other.mkdir()
    stranger = certificates.make(other)
    async with Transport(Surroundings(ca_file=str(stranger.certificate))) as transport:
        with pytest.raises(UntrustedCertificate, match=r"other/made\.pem"):
            await client_of(encrypted.url, transport).ping()


async def test_certs_d_brings_ca_and_client_certificate(
    pair: certificates.Pair, tmp_path: Path
) -> None:
    tls = pair.server_context(clients_of=pair.certificate)
    async with FakeRegistry(tls=tls) as registry:
        folder = tmp_path / "certs.d" / registry.host
        folder.mkdir(parents=True)
        shutil.copy(pair.certificate, folder / "ca.crt")
        around = Surroundings(certificate_directories=(tmp_path / "none", tmp_path / "certs.d"))
        async with Transport(around) as transport:
            with pytest.raises(Unreachable):
                await client_of(registry.url, transport).ping()
        shutil.copy(pair.certificate, folder / "client.cert")
        shutil.copy(pair.key, folder / "client.key")
        async with Transport(around) as transport:
            await client_of(registry.url, transport).ping()


async def test_a_ca_that_is_none_is_said(encrypted: FakeRegistry, transport: Transport) -> None:
    with pytest.raises(Unreachable, match="cannot be used"):
        await client_of(encrypted.url, transport, ca_certificate="/no/such.pem").ping()


# ----- proxies -------------------------------------------------------------------------------


@asynccontextmanager
async def proxy(seen: list[str]) -> AsyncIterator[str]:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.raw_path)
        return web.json_response({})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


async def test_requests_go_by_the_proxy_but_not_to_loopback(registry: FakeRegistry) -> None:
    seen: list[str] = []
    async with proxy(seen) as url, Transport(Surroundings(proxies=Proxies(http=url))) as transport:
        await client_of("http://registry.invalid", transport).ping()
        await client_of(registry.url, transport).ping()
    assert seen == ["http://registry.invalid/v2/"]
    assert registry.requests.count("GET", "ping") == 1


async def test_the_guard_holds_behind_a_proxy_too() -> None:
    seen: list[str] = []
    async with proxy(seen) as url, Transport(Surroundings(proxies=Proxies(http=url))) as transport:
        with pytest.raises(Refused):
            await client_of("http://169.254.169.254", transport).ping()
    assert seen == []


async def test_a_dead_proxy_is_named(unused_port: int) -> None:
    dead = f"http://user:hunter2@127.0.0.1:{unused_port}"
    async with Transport(Surroundings(proxies=Proxies(https=dead))) as transport:
        with pytest.raises(Unreachable, match=f"proxy http://127.0.0.1:{unused_port}") as caught:
            await client_of("https://registry.invalid", transport).ping()
    assert "hunter2" not in str(caught.value)


# ----- addresses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker.io", "https://registry-1.docker.io"),
        ("https://index.docker.io/v1/", "https://registry-1.docker.io"),
        ("ghcr.io", "https://ghcr.io"),
        ("localhost:5000", "http://localhost:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("reg.test:5000", "https://reg.test:5000"),
        ("http://reg.test/", "http://reg.test"),
        ("https://reg.test/v2/", "https://reg.test"),
        ("https://reg.test/prefix", "https://reg.test/prefix"),
    ],
)
def test_addresses_are_read_as_people_write_them(text: str, expected: str) -> None:
    assert base_url(text) == expected


def test_plain_http_is_taken_when_it_is_asked_for() -> None:
    assert base_url("reg.test:5000", plain_http=True) == "http://reg.test:5000"


@pytest.mark.parametrize(
    "text",
    ["ftp://reg.test", "https://", "https://user:pw@reg.test", "https://r.test?x=1", "a:b:c"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        base_url(text)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/v2/u?_state=a%2Bb%3D", "http://r.test/v2/u?_state=a%2Bb%3D"),
        ("http://o.test/x%2Fy?s=%2B+%20", "http://o.test/x%2Fy?s=%2B+%20"),
        ("../x?q=%7E~", "http://r.test/a/x?q=%7E~"),
    ],
)
def test_a_location_is_kept_byte_by_byte(location: str, expected: str) -> None:
    assert str(resolve(URL("http://r.test/a/b/c"), location)) == expected
