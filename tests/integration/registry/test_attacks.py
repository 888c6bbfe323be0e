"""Bad input, each kind alone: refused as the specification says, and nothing is left behind.

All of them at once, on the whole house: tests/acceptance/test_attacks.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from access import users
from access.authentication import Authenticator
from database.pool import Database
from protocol import media_types
from protocol.content import MANIFEST_LIMIT_BYTES
from registry.http import routes
from registry.service import Registry
from tests.fakes.attacker import Attacker
from tests.fakes.bombs import BOMBS
from tests.integration.registry import steps
from tests.integration.registry.conftest import PASSWORD
from tests.integration.registry.steps import REPOSITORY, Client, ask

BASE = f"/v2/{REPOSITORY}"
DEADLINE_SECONDS = 60
DIGEST = steps.digest(b"layer")
HEX = DIGEST.partition(":")[2]
ESCAPES = [
    "../..",
    "..%2f..",
    "%2e%2e/%2e%2e",
    "%2e%2e%2f%2e%2e",
    "%252e%252e%252f",
    "..%5c..",
    "%00",
]
NO_DIGESTS = [
    f"sha256:{HEX.upper()}",
    f"sha256:{HEX[:-1]}",
    f"sha256:{HEX}0",
    f"SHA256:{HEX}",
    f"sha512:{HEX}",
    f"md5:{'0' * 32}",
    f"sha256:sha256:{HEX}",
    f"sha256:{HEX[:-1]}%0a",
    f"sha256:{HEX}%20",
    f"sha256:{HEX[:-1]}%D9%A1",
    "sha256:",
    ":",
]


@pytest.fixture
def attacker(server: TestServer) -> Attacker:
    assert server.port is not None
    return Attacker(server.host, server.port, PASSWORD)


@pytest.fixture
def ended() -> asyncio.Event:
    """The end of a request to `impatient`, however it came."""
    return asyncio.Event()


@pytest.fixture
async def impatient(
    database: Database, registry: Registry, ended: asyncio.Event
) -> AsyncIterator[Attacker]:
    """The same registry, served by somebody who waits for nobody."""

    @web.middleware
    async def tell(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        finally:
            ended.set()

    await users.ensure_admin(database, PASSWORD)
    app = web.Application(middlewares=[tell])
    routes.register(app, registry, Authenticator(database), silence_seconds=0.2)
    server = TestServer(app)
    await server.start_server()
    assert server.port is not None
    yield Attacker(server.host, server.port, PASSWORD)
    await server.close()


def everything(folder: Path) -> set[Path]:
    return set(folder.parent.rglob("*"))


@pytest.mark.parametrize("escape", ESCAPES)
async def test_a_name_leads_nowhere_else(attacker: Attacker, tmp_path: Path, escape: str) -> None:
    before = everything(tmp_path)
    for target in (
        f"/v2/{escape}/etc/manifests/passwd",
        f"/v2/library/{escape}/manifests/latest",
        f"/v2/library/app{escape}/tags/list",
        f"{BASE}/blobs/sha256:{escape}",
        f"{BASE}/blobs/{escape}/{escape}/etc/passwd",
        f"{BASE}/manifests/{escape}",
    ):
        answer = await attacker.ask("GET", target)
        assert answer.status in {400, 404}, target
        assert answer.code in {"NAME_INVALID", "NAME_UNKNOWN", "DIGEST_INVALID", "TAG_INVALID"}
    pushed = await attacker.ask("POST", f"/v2/library/{escape}/x/blobs/uploads/")
    assert (pushed.status, pushed.code) == (400, "NAME_INVALID")
    assert everything(tmp_path) == before


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
async def test_an_upload_id_leads_nowhere_else(
    client: Client, attacker: Attacker, tmp_path: Path, method: str
) -> None:
    begun = (await steps.begin(client)).rpartition("/")[2]
    before = everything(tmp_path)
    body = b"layer" if method in {"PATCH", "PUT"} else None
    aliases = [f"{{{begun}}}", f"urn:uuid:{begun}", begun.replace("-", ""), begun.upper()]
    for upload in (*ESCAPES, *(f"{begun}/{escape}" for escape in ESCAPES), *aliases, str(uuid4())):
        target = f"{BASE}/blobs/uploads/{upload}?digest={DIGEST}"
        answer = await attacker.ask(method, target, body)
        assert answer.status in {400, 404, 405}, upload
    assert everything(tmp_path) == before
    assert (await ask(client, "GET", f"{BASE}/blobs/uploads/{begun}")).headers["Range"] == "0-0"


@pytest.mark.parametrize("name", NO_DIGESTS)
async def test_what_is_almost_a_digest_is_none(
    client: Client, attacker: Attacker, name: str
) -> None:
    location = await steps.begin(client)
    for method, target, body in (
        ("GET", f"{BASE}/blobs/{name}", None),
        ("HEAD", f"{BASE}/blobs/{name}", None),
        ("DELETE", f"{BASE}/blobs/{name}", None),
        ("GET", f"{BASE}/referrers/{name}", None),
        ("PUT", f"{location}?digest={name}", b"layer"),
        ("POST", f"{BASE}/blobs/uploads/?digest={name}", b"layer"),
        ("POST", f"{BASE}/blobs/uploads/?mount={name}&from=library/other", b""),
    ):
        async with attacker.connected() as connection:
            length = {} if body is None else {"Content_Length": len(body)}
            await connection.send(attacker.head(method, target, **length) + (body or b""))
            if method == "HEAD":
                continue
            answer = await connection.answer()
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID"), (method, target)
    assert (await ask(client, "GET", f"{BASE}/blobs/{DIGEST}")).status == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_a_body_that_is_not_in_its_encoding_is_refused(client: Client, method: str) -> None:
    begun = await ask(client, "POST", f"{BASE}/blobs/uploads/")
    path = {"PUT": f"{BASE}/manifests/x", "PATCH": begun.headers["Location"]}[method]
    answer = await ask(client, method, path, b"[no such thing]", Content_Encoding="gzip")
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


@pytest.mark.parametrize("bomb", BOMBS)
async def test_a_manifest_that_is_dear_to_read_is_refused(client: Client, bomb: str) -> None:
    path = f"{BASE}/manifests/latest"
    async with asyncio.timeout(DEADLINE_SECONDS):
        answer = await ask(client, "PUT", path, BOMBS[bomb], Content_Type=media_types.OCI_MANIFEST)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


async def test_a_manifest_that_says_it_is_too_large_is_refused_before_it_comes(
    attacker: Attacker,
) -> None:
    async with attacker.connected() as connection:
        target = f"{BASE}/manifests/latest"
        await connection.send(attacker.head("PUT", target, Content_Length=MANIFEST_LIMIT_BYTES + 1))
        answer = await connection.answer()
    assert (answer.status, answer.code) == (413, "SIZE_INVALID")


@pytest.mark.parametrize(
    "flood",
    [
        b"".join(b"X-Flood-%d: 1\r\n" % number for number in range(10_000)),
        b"X-Flood: " + b"x" * 1_000_000 + b"\r\n",
        b"X-Flood: 1\r\n" * 10_000,
        b"x" * 1_000_000,
    ],
    ids=["many", "long", "again and again", "no end of a line"],
)
async def test_a_flood_of_headers_is_cut_off(
    client: Client, attacker: Attacker, flood: bytes
) -> None:
    async with attacker.connected() as connection, asyncio.timeout(DEADLINE_SECONDS):
        head = attacker.head("GET", "/v2/").removesuffix(b"\r\n")
        try:
            await connection.send(head + flood + b"\r\n")
            answer = await connection.answer()
        except ConnectionError:  # it hung up while the flood still came
            pass
        else:
            assert answer.status == 400
        await connection.closed()
    assert (await ask(client, "GET", "/v2/")).status == 200


async def test_an_address_without_end_is_refused(attacker: Attacker) -> None:
    answer = await attacker.ask("GET", "/v2/" + "a/" * 5_000 + "tags/list")
    assert answer.status == 400


async def test_a_client_that_falls_silent_is_told_so_and_may_go_on_later(
    client: Client, impatient: Attacker
) -> None:
    location = await steps.begin(client)
    async with impatient.connected() as connection, asyncio.timeout(DEADLINE_SECONDS):
        await connection.send(impatient.head("PATCH", location, Content_Length=1000) + b"half")
        answer = await connection.answer()
    assert (answer.status, answer.code) == (408, "UNKNOWN")
    status = await ask(client, "GET", location)
    assert (status.status, status.headers["Range"]) == (204, "0-3")


async def test_who_takes_nothing_of_a_blob_is_hung_up_on(
    client: Client, impatient: Attacker, ended: asyncio.Event
) -> None:
    name = await steps.push_blob(client, bytes(64 * 1024 * 1024))
    async with impatient.connected() as connection, asyncio.timeout(DEADLINE_SECONDS):
        await connection.send(impatient.head("GET", f"{BASE}/blobs/{name}"))
        await ended.wait()
    assert (await ask(client, "HEAD", f"{BASE}/blobs/{name}")).status == 200


async def test_a_manifest_that_stops_halfway_is_not_waited_for(impatient: Attacker) -> None:
    async with impatient.connected() as connection, asyncio.timeout(DEADLINE_SECONDS):
        target = f"{BASE}/manifests/latest"
        await connection.send(impatient.head("PUT", target, Content_Length=1000) + b"{")
        answer = await connection.answer()
    assert (answer.status, answer.code) == (408, "UNKNOWN")


async def test_many_silent_large_manifests_hold_up_no_small_one(
    client: Client, attacker: Attacker
) -> None:
    target = f"{BASE}/manifests/latest"
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            connection = await stack.enter_async_context(attacker.connected())
            head = attacker.head("PUT", target, Content_Length=1_000_000)
            await connection.send(head + b"{" + b" " * 500_000)
        assert (await steps.put_manifest(client, steps.index([]), "small")).status == 201


@pytest.mark.parametrize(
    "source", ["library/nowhere", "nowhere/app", "../../etc", "%2e%2e%2fx", "", "library/app"]
)
async def test_what_is_not_there_is_mounted_from_nowhere(client: Client, source: str) -> None:
    location = await steps.begin(client, query=f"?mount={DIGEST}&from={source}")
    put = await ask(client, "PUT", f"{location}?digest={DIGEST}", b"layer")
    assert put.status == 201


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"{BASE}/tags/list?last=%00"),
        ("GET", f"{BASE}/referrers/{DIGEST}?artifactType=a%00b"),
        ("GET", "/v2/_catalog?last=library%00"),
        ("POST", f"{BASE}/blobs/uploads/?mount={DIGEST}&from=library/a%00"),
        ("GET", f"{BASE}/tags/list?n=" + "9" * 5000),
    ],
)
async def test_what_no_database_stores_is_refused_before_it_is_asked(
    client: Client, attacker: Attacker, method: str, target: str
) -> None:
    await steps.push_image(client, "latest")
    answer = await attacker.ask(method, target, b"" if method == "POST" else None)
    assert answer.status in {200, 400}, answer.body
    assert answer.status == 200 or answer.code == "NAME_INVALID"
