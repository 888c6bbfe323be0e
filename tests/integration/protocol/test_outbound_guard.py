from __future__ import annotations

import pytest
from yarl import URL

from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.errors import (
    Refused,
    Unauthorized,
)
from protocol.guard import Guard, Reach
from protocol.request import Request
from protocol.transport import Transport
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.protocol.connecting import IMPATIENT, client_of
from tests.integration.protocol.content import pieces, pointing_to


def port_of(registry: FakeRegistry) -> int:
    port = URL(registry.url).port
    assert port is not None
    return port


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f000001"])
async def test_our_own_servers_are_refused_by_whatever_name(
    registry: FakeRegistry, host: str
) -> None:
    port = port_of(registry)
    async with Transport(outbound=Guard(frozenset({("127.0.0.1", port)}))) as transport:
        with pytest.raises(Refused, match="belongs to this installation"):
            await client_of(f"http://{host}:{port}", transport).ping()
    assert registry.requests.count() == 0


async def test_our_own_servers_may_be_known_by_a_name_and_asked_by_address(
    registry: FakeRegistry,
) -> None:
    port = port_of(registry)
    own = Guard(frozenset({("0x7f000001", port), ("nowhere.invalid", port)}))
    async with Transport(outbound=own) as transport:
        with pytest.raises(Refused, match="belongs to this installation"):
            await client_of(registry.url, transport).ping()
    assert registry.requests.count() == 0


async def test_a_name_is_judged_by_the_address_it_leads_to(
    registry: FakeRegistry, transport: Transport
) -> None:
    url = URL(f"http://0x7f000001:{port_of(registry)}/v2/", encoded=True)
    request = Request(operation="x", method="GET", url=url, within=Reach.PRIVATE)
    with pytest.raises(Refused, match="loopback"):
        await transport.send(request)
    assert registry.requests.count() == 0


async def test_a_kept_connection_is_not_lent_to_who_may_not_go_there(
    registry: FakeRegistry, transport: Transport
) -> None:
    url = URL(f"http://0x7f000001:{port_of(registry)}/v2/", encoded=True)
    async with await transport.send(Request(operation="x", method="GET", url=url)) as answer:
        await answer.finish()
    with pytest.raises(Refused):
        await transport.send(Request(operation="x", method="GET", url=url, within=Reach.PUBLIC))


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254", "http://[fe80::1]", "http://0.0.0.0"]
)
async def test_special_addresses_are_refused_before_a_packet(
    transport: Transport, address: str
) -> None:
    with pytest.raises(Refused, match="outbound guard"):
        await client_of(address, transport).ping()


@pytest.mark.parametrize(
    "location", ["http://169.254.169.254/latest", "file:///etc/passwd", "http://0.0.0.0/"]
)
async def test_a_redirect_that_leads_astray_is_refused(
    registry: FakeRegistry, client: RegistryClient, location: str
) -> None:
    headers = {"Location": location}
    registry.faults.add(Fault(method="GET", kind="ping", status=307, headers=headers))
    with pytest.raises(Refused):
        await client.ping()


async def test_a_redirect_from_https_to_http_is_refused(
    encrypted: FakeRegistry, registry: FakeRegistry, transport: Transport
) -> None:
    headers = {"Location": f"{registry.url}/v2/"}
    encrypted.faults.add(Fault(method="GET", kind="ping", status=307, headers=headers))
    with pytest.raises(Refused, match="from https to plain http"):
        await client_of(encrypted.url, transport, insecure=True).ping()
    assert registry.requests.count() == 0


async def test_a_realm_on_http_of_an_https_registry_is_refused(
    encrypted: FakeRegistry, registry: FakeRegistry, transport: Transport
) -> None:
    encrypted.door.scheme, encrypted.door.guards_ping = "bearer", True
    encrypted.door.realm = f"{registry.url}/token"
    with pytest.raises(Refused, match="token realm is plain http"):
        await client_of(encrypted.url, transport, insecure=True).ping()
    assert registry.requests.count() == 0


async def test_a_location_on_http_of_an_https_registry_is_refused(
    encrypted: FakeRegistry, transport: Transport
) -> None:
    elsewhere = f"http://{encrypted.host}/v2/a/b/blobs/uploads/1"
    headers = {"Location": elsewhere}
    encrypted.faults.add(Fault(method="POST", kind="upload", status=202, headers=headers))
    repository = client_of(encrypted.url, transport, insecure=True).repository("a/b")
    upload = await repository.begin_blob(pointing_to(b"x"))
    assert upload is not None
    with pytest.raises(Refused, match="X-Forwarded-Proto"):
        await upload.send(pieces(b"x"))


async def test_a_location_elsewhere_is_asked_without_our_credentials(
    registry: FakeRegistry, transport: Transport
) -> None:
    async with FakeRegistry() as other:
        other.door.scheme = "basic"  # refuses whatever comes, and would take what we know
        other.door.username, other.door.password = "me", "secret"
        registry.door.scheme = "basic"
        registry.door.username, registry.door.password = "me", "secret"
        headers = {"Location": f"{other.url}/v2/a/b/blobs/uploads/1"}
        registry.repository("a/b")
        client = RegistryClient(
            transport,
            url=registry.url,
            credential=Credential(username="me", password="secret"),
            patience=IMPATIENT,
        )
        await client.repositories_page()
        registry.faults.add(Fault(method="POST", kind="upload", status=202, headers=headers))
        upload = await client.repository("a/b").begin_blob(pointing_to(b"x"))
        assert upload is not None
        with pytest.raises(Unauthorized):
            await upload.send(pieces(b"x"))
        assert other.requests.by_kind() == {("PUT", "upload"): 1}


async def test_redirects_in_a_circle_end(registry: FakeRegistry, client: RegistryClient) -> None:
    headers = {"Location": "/v2/"}
    registry.faults.add(Fault(method="GET", kind="ping", status=307, headers=headers, times=-1))
    with pytest.raises(Refused, match="more than 5 redirects"):
        await client.ping()


async def test_urls_in_errors_hold_no_secrets(registry: FakeRegistry, transport: Transport) -> None:
    headers = {"Location": f"{registry.url}/elsewhere?X-Signature=s3cret"}
    registry.faults.add(Fault(method="GET", kind="ping", status=307, headers=headers))
    with pytest.raises(Exception, match="elsewhere") as caught:
        await client_of(registry.url, transport).ping()
    assert "s3cret" not in str(caught.value)
