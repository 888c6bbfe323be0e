"""What the machine says about the way out counts for `transship copy` as for docker and skopeo."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes import certificates, proxy
from tests.fakes.certificates import Pair
from tests.fakes.proxy import Proxy
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.server import FakeRegistry
from tests.integration.cli.conftest import Transship

HOST = "registry.invalid"
SOURCE = f"{HOST}/team/app:1.0"


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return certificates.make(tmp_path, HOST)


@pytest.fixture
async def far(pair: Pair) -> AsyncIterator[FakeRegistry]:
    """A registry that only the proxy can reach, over TLS, with a password."""
    door = Door(scheme="basic", username="ann", password="secret")
    async with FakeRegistry(door=door, tls=pair.server_context()) as registry:
        registry.repository("team/app").put_image("1.0")
        yield registry


@pytest.fixture
async def way(far: FakeRegistry) -> AsyncIterator[Proxy]:
    async with proxy.running({HOST: int(far.host.rpartition(":")[2])}) as running:
        yield running


@pytest.fixture
def auth_file(tmp_path: Path) -> str:
    path = tmp_path / "auth.json"
    auths = {HOST: {"auth": base64.b64encode(b"ann:secret").decode()}}
    path.write_text(json.dumps({"auths": auths}))
    return str(path)


async def test_a_copy_goes_by_proxy_ca_and_auth_file_and_to_loopback_directly(
    transship: Transship, way: Proxy, pair: Pair, auth_file: str, destination: FakeRegistry
) -> None:
    ended = await transship(
        *("copy", SOURCE, f"{destination.host}/team/app"),
        HTTPS_PROXY=way.url,
        HTTP_PROXY=way.url,
        SSL_CERT_FILE=str(pair.certificate),
        REGISTRY_AUTH_FILE=auth_file,
    )
    assert ended.code == 0, ended.err
    assert "1.0" in destination.repository("team/app").tags
    assert set(way.seen) == {f"{HOST}:443"}


async def test_a_copy_believes_the_ca_in_certs_d(
    transship: Transship, way: Proxy, pair: Pair, auth_file: str, destination: FakeRegistry
) -> None:
    folder = transship.home / ".config/containers/certs.d" / HOST
    folder.mkdir(parents=True)
    shutil.copy(pair.certificate, folder / "ca.crt")
    ended = await transship(
        *("copy", SOURCE, f"{destination.host}/team/app"),
        https_proxy=way.url,
        REGISTRY_AUTH_FILE=auth_file,
    )
    assert ended.code == 0, ended.err


async def test_a_strange_certificate_is_said_with_proxy_ca_and_remedy(
    transship: Transship, way: Proxy, destination: FakeRegistry
) -> None:
    ended = await transship("copy", SOURCE, f"{destination.host}/team/app", HTTPS_PROXY=way.url)
    assert ended.code == 3
    for said in (SOURCE, "at the source", way.url, "the system's CA certificates", "SSL_CERT_FILE"):
        assert said in ended.err
    assert destination.repository("team/app").tags == {}


async def test_no_proxy_is_obeyed(
    transship: Transship, way: Proxy, destination: FakeRegistry
) -> None:
    ended = await transship(
        *("copy", SOURCE, f"{destination.host}/team/app"),
        HTTPS_PROXY=way.url,
        NO_PROXY=f"10.0.0.0/8,{HOST}",
    )
    assert ended.code == 3
    assert f"the host {HOST} is unknown" in ended.err
    assert way.seen == []


async def test_without_credentials_the_remedy_is_said(
    transship: Transship, way: Proxy, pair: Pair, destination: FakeRegistry
) -> None:
    ended = await transship(
        *("copy", SOURCE, f"{destination.host}/team/app"),
        HTTPS_PROXY=way.url,
        SSL_CERT_FILE=str(pair.certificate),
    )
    assert ended.code == 4
    assert "no credentials" in ended.err
    assert "docker login" in ended.err
