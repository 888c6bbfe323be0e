"""One house for all tests that leave it standing."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.acceptance.house import Api, House


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path (sockets have little room) and a space in it."""
    with tempfile.TemporaryDirectory(prefix="transship at ") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    """A running house; tests give what they make names of their own."""
    with tempfile.TemporaryDirectory(prefix="transship at ") as folder:
        roots = Path(folder) / "layouts"
        roots.mkdir()
        started = House(folder=Path(folder), environment={"TRANSSHIP_LAYOUT_ROOTS": str(roots)})
        started.start()
        yield started
        started.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
def api(house: House, session: aiohttp.ClientSession) -> Api:
    return Api(house.url, session)
