"""Postgres on a file system of 64 MiB that is full, until somebody makes it larger."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from jobservice.supervisor.errors import CannotStart
from tests.chaos.faults import Fault
from tests.chaos.load import WEATHER
from tests.chaos.strike import Strike

NAME = "full-disk"
FULL_SECONDS = 15
SMALL, LARGE = "size=64m", "size=512m"
# What Postgres needs to begin with does not fit into 64 MiB with room to work; it is filled up.
FILLER_BYTES = 64 * 1024
WRITE = """
CREATE TEMPORARY TABLE much AS
SELECT repeat(md5(number::text), 30) FROM generate_series(1, 1100) AS number
"""


class CannotMount(Exception):
    """No tmpfs of our own: not root, or not allowed."""


@asynccontextmanager
async def small(folder: Path) -> AsyncIterator[Path]:
    """Mount a tmpfs; raise CannotMount."""
    folder.mkdir(parents=True)
    _run("mount", "-t", "tmpfs", "-o", f"{LARGE},mode=755", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        await asyncio.to_thread(_run, "umount", "--lazy", str(folder))


def fault(disk: Path) -> Fault:
    """Return the fault of this file system."""

    async def full(strike: Strike) -> None:
        """Postgres on a full tmpfs of 64 MiB"""
        filler = disk / "filler"
        postgres = strike.house.postgres
        _shrink(disk)
        _fill(filler)
        refused = 0
        for _ in range(FULL_SECONDS):
            _fill(filler)
            refused += await _is_refused(strike)
            await asyncio.sleep(1)
        assert refused, "PostgreSQL found room on a full disk"
        filler.unlink()
        _run("mount", "-o", f"remount,{LARGE}", str(disk))
        if not postgres.alive():
            with suppress(CannotStart):
                await asyncio.to_thread(postgres.stop)
            await asyncio.to_thread(postgres.start)
        strike.is_back("postgres")
        await asyncio.sleep(8)

    return full


async def _is_refused(strike: Strike) -> bool:
    """Whether PostgreSQL cannot write a megabyte, or cannot be reached at all."""
    try:
        connection = await asyncpg.connect(strike.house.postgres.dsn(), timeout=2)
        try:
            await connection.execute(WRITE)
        finally:
            connection.terminate()
    except WEATHER:
        return True
    return False


def _shrink(disk: Path) -> None:
    """Make it 64 MiB, or as much more as is in use: a tmpfs is never smaller than its content."""
    used = sum(path.stat().st_blocks * 512 for path in disk.rglob("*") if path.is_file())
    size = max(64 * 1024 * 1024, used)
    _run("mount", "-o", f"remount,size={size}", str(disk))


def _fill(filler: Path) -> None:
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(FILLER_BYTES)):
            pass


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotMount(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
