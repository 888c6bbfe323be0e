"""Everything that tests/integration/registry/test_attacks.py tries alone, at once, at one house."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from protocol import media_types
from tests.acceptance import house as acceptance
from tests.acceptance import running
from tests.acceptance.house import House
from tests.fakes.attacker import Answer, Attacker
from tests.fakes.bombs import BOMBS

OPEN_UPLOADS = 10_000
SILENCE_SECONDS = 3
DEADLINE_SECONDS = 300
MEMORY_BYTES = 200 * 1024 * 1024
BASE = "/v2/library/victim"
SHARED = os.urandom(2_000_000)
DIGEST = f"sha256:{hashlib.sha256(SHARED).hexdigest()}"
EMPTY_INDEX = json.dumps(
    {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
).encode()


@pytest.fixture
def besieged() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="transship at ") as folder:
        variables = {"TRANSSHIP_CLIENT_SILENCE_SECONDS": str(SILENCE_SECONDS)}
        started = House(folder=Path(folder), environment=variables)
        started.start()
        yield started
        started.stop()


async def test_the_house_serves_under_all_attacks_at_once(besieged: House) -> None:
    address = urlsplit(besieged.url)
    assert address.hostname is not None
    assert address.port is not None
    someone = Attacker(address.hostname, address.port, acceptance.PASSWORD)
    over = asyncio.Event()
    async with asyncio.timeout(DEADLINE_SECONDS):
        put = await _put_index(someone, "steady")
        assert put.status == 201
        async with asyncio.TaskGroup() as group:
            customer = group.create_task(_be_a_customer(someone, over))
            async with asyncio.TaskGroup() as attacks:
                for attack in ATTACKS:
                    attacks.create_task(attack(someone))
            over.set()
        assert await customer > 0
        for upload in range(3):  # and afterwards it is as it was
            assert (await _put_index(someone, f"after-{upload}")).status == 201
        blob = await someone.ask("GET", f"{BASE}/blobs/{DIGEST}")
        assert hashlib.sha256(blob.body).hexdigest() == DIGEST.removeprefix("sha256:")
    assert _peak_bytes(_api(besieged)) < MEMORY_BYTES
    log = besieged.last_words()
    assert "Traceback" not in log, log[log.index("Traceback") - 500 :]
    assert "Unclosed" not in log


async def _put_index(someone: Attacker, tag: str) -> Answer:
    target = f"{BASE}/manifests/{tag}"
    return await someone.ask("PUT", target, EMPTY_INDEX, Content_Type=media_types.OCI_INDEX)


async def _be_a_customer(someone: Attacker, over: asyncio.Event) -> int:
    """Pull and push until it is over; every answer has to be right. Return how many were."""
    served = 0
    while not over.is_set():
        pulled = await someone.ask("GET", f"{BASE}/manifests/steady")
        assert (pulled.status, pulled.body) == (200, EMPTY_INDEX)
        assert (await _put_index(someone, f"pushed-{served}")).status == 201
        served += 1
    return served


async def _open_uploads(someone: Attacker) -> None:
    async def some(count: int) -> None:
        async with someone.connected() as connection:
            for _ in range(count):
                head = someone.head("POST", f"{BASE}/blobs/uploads/", Content_Length=0)
                await connection.send(head)
                assert (await connection.answer()).status == 202

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(some(OPEN_UPLOADS // 20))


async def _push_one_digest(someone: Attacker) -> None:
    async def push() -> None:
        begun = await someone.ask("POST", f"{BASE}/blobs/uploads/", b"")
        target = f"{begun.headers['Location']}?digest={DIGEST}"
        assert (await someone.ask("PUT", target, SHARED)).status == 201

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(push())


async def _drop_bombs(someone: Attacker) -> None:
    async def drop(bomb: bytes) -> None:
        answer = await someone.ask("PUT", f"{BASE}/manifests/bomb", bomb)
        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")

    async with asyncio.TaskGroup() as group:
        for bomb in BOMBS.values():
            group.create_task(drop(bomb))


async def _send_too_much(someone: Attacker) -> None:
    for _ in range(20):
        async with someone.connected() as connection:
            target = f"{BASE}/manifests/large"
            await connection.send(someone.head("PUT", target, Content_Length=10**12))
            assert (await connection.answer()).status == 413


async def _fall_silent(someone: Attacker) -> None:
    async def once(head: bytes) -> None:
        async with someone.connected() as connection:
            await connection.send(head + b"{")
            assert (await connection.answer()).status == 408

    begun = [await someone.ask("POST", f"{BASE}/blobs/uploads/", b"") for _ in range(50)]
    heads = [
        *(someone.head("PATCH", it.headers["Location"], Content_Length=100) for it in begun),
        *(someone.head("PUT", f"{BASE}/manifests/s", Content_Length=100) for _ in range(50)),
    ]
    async with asyncio.TaskGroup() as group:
        for head in heads:
            group.create_task(once(head))


async def _read_nothing(someone: Attacker) -> None:
    """Ask for much, and hang up after a while without having read it."""
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(_asked_and_left(someone))


async def _asked_and_left(someone: Attacker) -> None:
    async with someone.connected() as connection:
        await connection.send(someone.head("GET", f"{BASE}/blobs/{DIGEST}"))
        await connection.some()


async def _flood_headers(someone: Attacker) -> None:
    for flood in (b"X-Flood: 1\r\n" * 10_000, b"X-Flood: " + b"x" * 1_000_000, b"x" * 1_000_000):
        async with someone.connected() as connection:
            head = someone.head("GET", "/v2/").removesuffix(b"\r\n")
            try:
                await connection.send(head + flood + b"\r\n\r\n")
                assert (await connection.answer()).status == 400
            except (ConnectionError, asyncio.IncompleteReadError):  # it hung up in the flood
                pass


async def _go_astray(someone: Attacker) -> None:
    for escape in ("../..", "..%2f..", "%2e%2e/%2e%2e", "%252e%252e", "%00", "%0a"):
        for target in (
            f"/v2/library/{escape}/manifests/latest",
            f"{BASE}/blobs/uploads/{escape}",
            f"{BASE}/blobs/sha256:{escape}",
            f"{BASE}/manifests/{escape}",
        ):
            answer = await someone.ask("GET", target)
            assert answer.status in {400, 404}, target


async def _mount_nothing(someone: Attacker) -> None:
    for _ in range(200):
        nowhere = hashlib.sha256(uuid4().bytes).hexdigest()
        target = f"{BASE}/blobs/uploads/?mount=sha256:{nowhere}&from=library/nowhere"
        assert (await someone.ask("POST", target, b"")).status == 202


ATTACKS: tuple[Callable[[Attacker], Coroutine[None, None, None]], ...] = (
    _open_uploads,
    _push_one_digest,
    _drop_bombs,
    _send_too_much,
    _fall_silent,
    _read_nothing,
    _flood_headers,
    _go_astray,
    _mount_nothing,
)


def _api(house: House) -> int:
    assert house.process is not None
    (pid,) = (
        pid
        for pid in running.descendants(house.process.pid)
        if b"\0api\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return pid


def _peak_bytes(pid: int) -> int:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024
