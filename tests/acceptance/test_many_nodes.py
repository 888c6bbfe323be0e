"""Two API and two worker processes that share only Postgres, Redis and S3; either may be killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from database.pool import Database
from database.sealing import generate_key
from protocol.digest import Digest
from registry.storage.address import Address
from tests.acceptance import house as acceptance
from tests.acceptance.house import Api
from tests.acceptance.running import DEADLINE_SECONDS, surroundings, transship
from tests.fakes import s3
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry

MEBIBYTE = 1024 * 1024
CONTENT = bytes(range(256)) * 80_000
REPOSITORY = "library/app"


@dataclass(slots=True, kw_only=True)
class Nodes:
    """The processes; `apis` with their addresses."""

    apis: list[tuple[subprocess.Popen[str], str]]
    workers: list[subprocess.Popen[str]]


@contextmanager
def _node(variables: Mapping[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        transship(*command),
        env=surroundings() | dict(variables),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_SECONDS)


def _address(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    assert line.startswith("ready http"), f"`api` said {line!r}"
    return line.split()[1]


@pytest.fixture
async def s3_address(moto: str) -> Address:
    address = s3.address(moto, prefix="registry")
    await s3.make_bucket(address)
    return address


@pytest.fixture
async def nodes(
    dsn: str, valkey_url: str, s3_address: Address, tmp_path: Path
) -> AsyncIterator[Nodes]:
    shared = {
        "TRANSSHIP_POSTGRES_DSN": dsn,
        "TRANSSHIP_REDIS_DSN": valkey_url,
        "TRANSSHIP_STORAGE": s3.storage_url(s3_address),
        "TRANSSHIP_S3_ENDPOINT": s3_address.endpoint,
        "TRANSSHIP_S3_REGION": s3_address.region,
        "TRANSSHIP_S3_PATH_STYLE": "true",
        "TRANSSHIP_S3_ACCESS_KEY": s3_address.access_key,
        "TRANSSHIP_S3_SECRET_KEY": s3_address.secret_key,
        "TRANSSHIP_SECRET_KEY": generate_key(),
        "TRANSSHIP_ADMIN_PASSWORD": acceptance.PASSWORD,
        "TRANSSHIP_LISTEN": "127.0.0.1:0",
    }
    with ExitStack() as stack:
        apis, workers = [], []
        for number in range(2):
            own = shared | {"HOME": str(tmp_path / f"node-{number}")}
            apis.append(stack.enter_context(_node(own, "api")))
            workers.append(stack.enter_context(_node(own, "worker")))
        yield Nodes(apis=[(one, _address(one)) for one in apis], workers=workers)


class Client:
    """Somebody who pushes, to whichever process answers."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._headers = {"Authorization": aiohttp.encode_basic_auth("admin", acceptance.PASSWORD)}

    async def ask(
        self, method: str, url: str, body: bytes | None = None
    ) -> tuple[int, Mapping[str, str], bytes]:
        return await self.send(method, url, _pieces(body) if body else None)

    async def send(
        self, method: str, url: str, body: AsyncIterator[bytes] | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        async with self._session.request(method, url, data=body, headers=self._headers) as answer:
            return answer.status, answer.headers, await answer.read()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), MEBIBYTE):
        yield body[start : start + MEBIBYTE]


async def _killed_while_it_writes(
    client: Client, process: subprocess.Popen[str], upload: str, database: Database
) -> None:
    """Kill an API in the middle of a PATCH, and let its lease on the upload run out."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)
            await asyncio.sleep(0.05)

    writing = asyncio.create_task(client.send("PATCH", upload, endless()))
    async with asyncio.timeout(DEADLINE_SECONDS), database.connection() as connection:
        while not await connection.fetchval("SELECT busy_token FROM registry.uploads"):  # noqa: ASYNC110 a row tells
            await asyncio.sleep(0.02)
        process.kill()
        process.wait(DEADLINE_SECONDS)
        with pytest.raises(aiohttp.ClientError):
            await writing
        await connection.execute("UPDATE registry.uploads SET busy_until = now()")


async def test_an_upload_begun_at_one_api_ends_at_the_other_though_the_first_is_killed(
    nodes: Nodes, session: aiohttp.ClientSession, database: Database
) -> None:
    client = Client(session)
    (first, here), (_, there) = nodes.apis
    status, headers, _ = await client.ask("POST", f"{here}/v2/{REPOSITORY}/blobs/uploads/")
    assert status == 202
    upload = headers["Location"]
    for url, start, end in [(here, 0, 7), (there, 7, 8), (here, 8, 17)]:
        part = CONTENT[start * MEBIBYTE : end * MEBIBYTE]
        status, headers, _ = await client.ask("PATCH", url + upload, part)
        assert (status, headers["Range"]) == (202, f"0-{end * MEBIBYTE - 1}")
    await _killed_while_it_writes(client, first, here + upload, database)
    name = Digest.of(CONTENT)
    rest = CONTENT[17 * MEBIBYTE :]
    status, _, told = await client.ask("PUT", f"{there}{upload}?digest={name}", rest)
    assert status == 201, told
    status, _, pulled = await client.ask("GET", f"{there}/v2/{REPOSITORY}/blobs/{name}")
    assert (status, pulled == CONTENT) == (200, True)


async def test_a_replication_ends_though_a_worker_and_an_api_are_killed(
    nodes: Nodes, session: aiohttp.ClientSession
) -> None:
    (first, here), (_, there) = nodes.apis
    async with FakeRegistry() as source:
        image = source.repository(REPOSITORY).put_image("1.0", layers=(CONTENT, b"small"))
        held = asyncio.Event()
        source.faults.add(Fault(method="GET", kind="blob", times=-1, hold=held))
        api = Api(here, session)
        policy = await api.policy("nodes", source=await api.endpoint("source", source))
        execution = await api.start(policy)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not source.requests.count("GET", "blob"):  # noqa: ASYNC110 - the fake has no event
                await asyncio.sleep(0.02)
        for process in (first, nodes.workers[0]):
            process.kill()
            process.wait(DEADLINE_SECONDS)
        held.set()
        ended = await Api(there, session).ended(execution, seconds=120)
    assert (ended["status"], ended["total"]) == ("Succeed", 1)
    status, _, body = await Client(session).ask("GET", f"{there}/v2/{REPOSITORY}/manifests/1.0")
    assert (status, body) == (200, image.body)
    layer = Digest.of(CONTENT)
    status, _, body = await Client(session).ask("GET", f"{there}/v2/{REPOSITORY}/blobs/{layer}")
    assert (status, body == CONTENT) == (200, True)
