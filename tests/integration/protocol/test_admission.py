from __future__ import annotations

import asyncio

import pytest

from protocol.client.registry import RegistryClient
from protocol.credential import Credential
from protocol.errors import Refused, RegistryError, Unauthorized, Unavailable
from protocol.transport import Transport
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.protocol.connecting import IMPATIENT
from tests.integration.protocol.content import LARGE, pieces, pointing_to, push, read

ME = Credential(username="me", password="secret")


@pytest.fixture
def guarded(registry: FakeRegistry) -> FakeRegistry:
    """The fake, with a token endpoint that knows one user."""
    registry.door.scheme = "bearer"
    registry.door.username, registry.door.password = "me", "secret"
    return registry


def client_of(
    registry: FakeRegistry, transport: Transport, credential: Credential | None = ME
) -> RegistryClient:
    return RegistryClient(transport, url=registry.url, credential=credential, patience=IMPATIENT)


async def test_the_first_real_request_takes_the_challenge(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.repository("a/b").put_image("1.0")
    await client_of(guarded, transport).repository("a/b").resolve("1.0")
    assert guarded.requests.by_kind() == {("HEAD", "manifest"): 2, ("GET", "token"): 1}


@pytest.mark.parametrize("name", ["token", "access_token"])
@pytest.mark.parametrize("dates", [True, False])
async def test_one_token_serves_a_repository_with_dates_and_without(
    guarded: FakeRegistry, transport: Transport, name: str, *, dates: bool
) -> None:
    guarded.door.token_field = name
    if not dates:
        guarded.door.expires_in = guarded.door.issued_at = None
    held = guarded.repository("a/b")
    held.put_image("1.0")
    blob = held.put_blob(b"layer")
    repository = client_of(guarded, transport).repository("a/b")
    await repository.resolve("1.0")
    await repository.read_manifest("1.0")
    assert await read(repository, blob) == b"layer"
    assert guarded.requests.count("GET", "token") == 1


async def test_many_requests_at_once_wait_for_one_token(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.repository("a/b").put_image("1.0")
    repository = client_of(guarded, transport).repository("a/b")
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(repository.resolve("1.0"))
    assert guarded.requests.count("GET", "token") == 1


async def test_each_repository_has_a_token_of_its_own_scope(
    guarded: FakeRegistry, transport: Transport
) -> None:
    client = client_of(guarded, transport)
    for name in ("a/b", "c/d"):
        guarded.repository(name).put_image("1.0")
        await client.repository(name).resolve("1.0")
    assert guarded.door.issued == [
        frozenset({"repository:a/b:pull"}),
        frozenset({"repository:c/d:pull"}),
    ]


async def test_a_writer_can_have_one_token_for_everything(
    guarded: FakeRegistry, transport: Transport
) -> None:
    repository = client_of(guarded, transport).repository("a/b", writes=True)
    assert not await repository.has_blob(pointing_to(b"content"))
    await push(repository, b"content")
    assert guarded.requests.count("GET", "token") == 1


async def test_a_mount_asks_to_pull_its_source_in_the_same_token(
    guarded: FakeRegistry, transport: Transport
) -> None:
    blob = guarded.repository("base").put_blob(b"layer")
    repository = client_of(guarded, transport).repository("a/b")
    assert await repository.begin_blob(blob, mount_from="base") is None
    assert guarded.door.issued[-1] >= {"repository:base:pull", "repository:a/b:push"}


async def test_a_token_that_expires_in_mid_copy_is_renewed_once_for_all(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.repository("a/b").put_image("1.0")
    repository = client_of(guarded, transport).repository("a/b")
    await repository.resolve("1.0")
    guarded.door.expire_tokens()
    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(repository.resolve("1.0"))
    assert guarded.requests.count("GET", "token") == 2


async def test_a_small_upload_survives_an_expired_token(
    guarded: FakeRegistry, transport: Transport
) -> None:
    repository = client_of(guarded, transport).repository("a/b")
    upload = await repository.begin_blob(pointing_to(b"content"))
    assert upload is not None
    guarded.door.expire_tokens()
    await upload.send(pieces(b"content"))
    assert len(guarded.repository("a/b").blobs) == 1


async def test_a_large_upload_says_that_it_can_go_on_with_the_new_token(
    guarded: FakeRegistry, transport: Transport
) -> None:
    repository = client_of(guarded, transport).repository("a/b")
    upload = await repository.begin_blob(pointing_to(LARGE))
    assert upload is not None
    guarded.door.expire_tokens()
    with pytest.raises(Unavailable, match="renewed"):
        await upload.send(pieces(LARGE))
    offset = await upload.recover()
    await upload.send(pieces(LARGE[offset:]))
    assert len(guarded.repository("a/b").blobs) == 1


async def test_basic_is_enough_where_it_is_asked_for(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.scheme = "basic"
    guarded.repository("a/b").put_image("1.0")
    repository = client_of(guarded, transport).repository("a/b")
    await repository.resolve("1.0")
    await repository.resolve("1.0")
    assert guarded.requests.by_kind() == {("HEAD", "manifest"): 3}


async def test_anybody_may_have_an_anonymous_token(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.anonymous_pull = True
    guarded.repository("a/b").put_image("1.0")
    await client_of(guarded, transport, None).repository("a/b").resolve("1.0")
    assert guarded.requests.count("GET", "token") == 1


async def test_an_identity_token_is_exchanged_by_post(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.identity_token = "refresh"
    guarded.repository("a/b").put_image("1.0")
    credential = Credential(identity_token="refresh")
    await client_of(guarded, transport, credential).repository("a/b").resolve("1.0")
    assert guarded.requests.count("POST", "token") == 1
    assert guarded.requests.count("GET", "token") == 0


async def test_an_identity_token_does_not_follow_a_redirect_to_another_host(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.identity_token = "refresh"
    async with FakeRegistry() as other:
        leads_away = {"Location": f"{other.url}/token"}
        guarded.faults.add(
            Fault(method="POST", kind="token", status=307, headers=leads_away, times=-1)
        )
        credential = Credential(identity_token="refresh")
        with pytest.raises(RegistryError, match="get a token"):
            await client_of(guarded, transport, credential).repository("a/b").resolve("1.0")
        assert other.requests.count() == 0


@pytest.mark.parametrize("scheme", ["basic", "bearer"])
async def test_a_wrong_password_is_said_and_not_tried_again(
    guarded: FakeRegistry, transport: Transport, scheme: str
) -> None:
    guarded.door.scheme = scheme
    wrong = Credential(username="me", password="guess")
    with pytest.raises(Unauthorized) as caught:
        await client_of(guarded, transport, wrong).repository("a/b").resolve("1.0")
    assert "guess" not in str(caught.value)
    assert guarded.requests.count() == 2


async def test_no_credentials_where_some_are_wanted_are_said(
    guarded: FakeRegistry, transport: Transport
) -> None:
    with pytest.raises(Unauthorized, match="no credentials were given"):
        await client_of(guarded, transport, None).repository("a/b").resolve("1.0")


async def test_a_bare_401_is_explained_by_the_ping(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.bare_on = frozenset({"manifest"})
    guarded.repository("a/b").put_image("1.0")
    await client_of(guarded, transport).repository("a/b").resolve("1.0")
    assert guarded.requests.count("GET", "ping") == 1


async def test_a_401_without_any_challenge_gets_basic_or_an_error(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.scheme, guarded.door.bare_401 = "basic", True
    guarded.repository("a/b").put_image("1.0")
    await client_of(guarded, transport).repository("a/b").resolve("1.0")
    with pytest.raises(Unauthorized):
        await client_of(guarded, transport, None).repository("a/b").resolve("1.0")


async def test_a_challenge_without_a_scope_gets_the_one_we_need(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.challenge = f'bearer Realm="{guarded.url}/token" , service=fake, Basic realm="x"'
    guarded.repository("a/b").put_image("1.0")
    await client_of(guarded, transport).repository("a/b").resolve("1.0")
    assert guarded.door.issued == [frozenset({"repository:a/b:pull"})]


async def test_a_realm_may_be_relative(guarded: FakeRegistry, transport: Transport) -> None:
    guarded.door.realm = "/token"
    guarded.repository("a/b").put_image("1.0")
    await client_of(guarded, transport).repository("a/b").resolve("1.0")


@pytest.mark.parametrize("realm", ["http://169.254.169.254/token", "ftp://x.test/", "http://[::]/"])
async def test_a_realm_that_leads_astray_is_refused(
    guarded: FakeRegistry, transport: Transport, realm: str
) -> None:
    guarded.door.realm = realm
    with pytest.raises(Refused):
        await client_of(guarded, transport).repository("a/b").resolve("1.0")


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_token_endpoint_in_trouble_is_asked_again(
    guarded: FakeRegistry, transport: Transport, status: int
) -> None:
    guarded.repository("a/b").put_image("1.0")
    guarded.faults.answer("GET", "token", status)
    await client_of(guarded, transport).repository("a/b").resolve("1.0")
    assert guarded.requests.count("GET", "token") == 2


async def test_an_answer_without_a_token_is_unauthorized(
    guarded: FakeRegistry, transport: Transport
) -> None:
    guarded.door.token_field = "jwt"
    with pytest.raises(Unauthorized, match="no token"):
        await client_of(guarded, transport).repository("a/b").resolve("1.0")


async def test_secrets_are_in_no_error(guarded: FakeRegistry, transport: Transport) -> None:
    guarded.repository("a/b")
    with pytest.raises(Exception, match="404") as caught:
        await client_of(guarded, transport).repository("a/b").resolve("1.0")
    assert "secret" not in repr(caught.value)


async def test_ping_is_let_in_with_a_token(guarded: FakeRegistry, transport: Transport) -> None:
    guarded.door.guards_ping = True
    await client_of(guarded, transport).ping()
    assert guarded.requests.by_kind() == {("GET", "ping"): 2, ("GET", "token"): 1}
