"""How blobs leave: by sendfile, whole or in part, and never as less than they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestServer

from registry.http import sending
from tests.fakes.attacker import Attacker
from tests.integration.registry import steps
from tests.integration.registry.conftest import PASSWORD
from tests.integration.registry.steps import REPOSITORY, Client, ask

BLOBS = f"/v2/{REPOSITORY}/blobs"
LARGE = os.urandom(sending.SMALL_BYTES * 8 + 17)
SMALL = LARGE[: sending.SMALL_BYTES]
SIZES = pytest.mark.parametrize("content", [LARGE, SMALL], ids=["large", "small"])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What the kernel sent from files: offset and count of each call that sent something."""
    made: list[tuple[int, int]] = []
    real: Callable[..., int] = os.sendfile

    def sendfile(out: int, file: int, offset: int, count: int, *rest: Any) -> int:
        sent = real(out, file, offset, count, *rest)
        made.append((offset, sent))
        return sent

    monkeypatch.setattr(os, "sendfile", sendfile)
    return made


async def test_a_large_blob_is_sent_by_the_kernel(
    client: Client, calls: list[tuple[int, int]]
) -> None:
    name = await steps.push_blob(client, LARGE)
    assert (await ask(client, "GET", f"{BLOBS}/{name}")).body == LARGE
    assert sum(sent for _, sent in calls) == len(LARGE)
    calls.clear()
    part = await ask(client, "GET", f"{BLOBS}/{name}", Range="bytes=1000-1000000")
    assert (part.status, part.body) == (206, LARGE[1000:1000001])
    assert (calls[0][0], sum(sent for _, sent in calls)) == (1000, 999_001)


async def test_a_small_blob_goes_out_in_one_piece(
    client: Client, calls: list[tuple[int, int]]
) -> None:
    name = await steps.push_blob(client, SMALL)
    assert (await ask(client, "GET", f"{BLOBS}/{name}")).body == SMALL
    assert calls == []


@SIZES
async def test_who_goes_on_with_something_else_gets_everything(
    client: Client, content: bytes
) -> None:
    name = await steps.push_blob(client, content)
    url = f"{BLOBS}/{name}"
    going_on = await ask(client, "GET", url, Range="bytes=5-", If_Range=f'"{name}"')
    assert (going_on.status, going_on.body) == (206, content[5:])
    for other in ('"other"', f'W/"{name}"', "Wed, 25 Nov 2026 00:00:00 GMT"):
        whole = await ask(client, "GET", url, Range="bytes=5-", If_Range=other)
        assert (whole.status, whole.body) == (200, content)


@SIZES
@pytest.mark.parametrize("harm", ["shorter", "longer", "gone"])
async def test_a_file_that_is_not_as_it_was_written_is_not_sent(
    client: Client, tmp_path: Path, content: bytes, harm: str
) -> None:
    name = await steps.push_blob(client, content)
    (file,) = (path for path in (tmp_path / "objects").rglob("*") if path.is_file())
    if harm == "gone":
        file.unlink()
    else:
        os.truncate(file, len(content) + (1 if harm == "longer" else -1))
    answer = await ask(client, "GET", f"{BLOBS}/{name}")
    assert (answer.status, answer.code) == (503, "UNAVAILABLE")


async def test_who_hangs_up_in_the_middle_harms_nobody(client: Client, server: TestServer) -> None:
    content = LARGE * 8
    name = await steps.push_blob(client, content)
    assert server.port is not None
    attacker = Attacker(server.host, server.port, PASSWORD)
    for _ in range(5):
        async with attacker.connected() as connection:
            await connection.send(attacker.head("GET", f"{BLOBS}/{name}"))
            await connection.some()
    async with asyncio.timeout(60):
        assert (await ask(client, "GET", f"{BLOBS}/{name}")).body == content
