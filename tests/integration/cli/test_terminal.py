"""What a copy shows where there is a terminal, and where there is none."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import sys

from tests.fakes.registry.server import FakeRegistry
from tests.integration.cli.conftest import Transship

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SECONDS = 60


async def at_a_terminal(transship: Transship, *arguments: str) -> tuple[int, str]:
    """Run the program with a pseudo-terminal of 160 columns; return its code and what it drew."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "jobservice.cli.main", *arguments),
        stdout=theirs,
        stderr=theirs,
        env={**transship.environment, "TERM": "xterm", "COLUMNS": "160"},
        cwd=transship.home,
    )
    os.close(theirs)
    async with asyncio.timeout(SECONDS):
        drawn = await asyncio.to_thread(_everything, ours)
        code = await process.wait()
    os.close(ours)
    return code, ESCAPES.sub("", drawn.decode()).replace("\r", "\n")


def _everything(terminal: int) -> bytes:
    """Read until the other side is closed, which Linux says with EIO."""
    drawn = bytearray()
    try:
        while piece := os.read(terminal, 65536):
            drawn += piece
    except OSError:
        pass
    return bytes(drawn)


async def test_bars_at_a_terminal(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.repository("library/app").put_image("1.0", layers=(b"layer" * 400_000,))
    ends = (f"{source.host}/library/app:1.0", f"{destination.host}/mirror/app:1.0")
    code, drawn = await at_a_terminal(transship, "copy", *ends)
    assert code == 0, drawn
    assert "1/1 done; blobs: 2 copied, 0 mounted, 0 there" in drawn
    assert "1.9/1.9 MiB" in drawn
    assert f"copied  {ends[0]} -> {ends[1]}  (1.9 MiB moved)" in drawn
    assert "1 artifact: 1 copied, 0 up to date, 0 failed;" in drawn


async def test_plain_lines_in_a_pipe(
    transship: Transship, source: FakeRegistry, destination: FakeRegistry
) -> None:
    source.repository("library/app").put_image("1.0")
    ends = (f"{source.host}/library/app:1.0", f"{destination.host}/mirror/app:1.0")
    ended = await transship("copy", *ends)
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out
    copied, summary = ended.out.splitlines()
    assert copied == f"copied      {ends[0]} -> {ends[1]}  (7 B moved)"
    assert summary.startswith("1 artifact: 1 copied, 0 up to date, 0 failed;")
