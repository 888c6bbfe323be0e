"""One place of every kind for the contract suites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.contract import places
from tests.contract.places import Place


@pytest.fixture(params=sorted(places.KINDS))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """An empty place; the test runs once for each kind."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(places.KINDS[request.param](tmp_path))
