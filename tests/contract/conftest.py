"""One place of every kind for the contract suites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.base import Adapter
from tests.contract import places
from tests.contract.places import Grounds, Place


@pytest.fixture(params=sorted(places.KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind in its turn."""
    return str(request.param)


@pytest.fixture
def grounds(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Grounds:
    """What the place is built on; only one kind wants a database."""
    dsn = request.getfixturevalue("dsn") if kind in places.WITH_DATABASE else ""
    return Grounds(folder=tmp_path, dsn=dsn)


@pytest.fixture
async def place(kind: str, grounds: Grounds) -> AsyncIterator[Place]:
    """An empty place; the test runs once for each kind."""
    async with places.KINDS[kind](grounds) as found:
        yield found


@pytest.fixture
def adapter(place: Place) -> Adapter:
    """The adapter of an empty place."""
    assert place.adapter is not None
    return place.adapter
