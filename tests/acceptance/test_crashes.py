"""Postgres is the truth, Redis is the doorbell: what was accepted ends, whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from jobservice.supervisor.embedded_valkey import EmbeddedValkey
from tests.acceptance import house as acceptance
from tests.acceptance.house import Api, House
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry

NOTHING_RUNS_SECONDS = 2.0
BACK_SECONDS = 20.0


@pytest.fixture
def valkey(short_folder: Path) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(folder=short_folder / "valkey", die_with_parent=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_house(short_folder: Path) -> Iterator[House]:
    (short_folder / "house").mkdir()
    started = House(folder=short_folder / "house")
    started.start()
    yield started
    started.stop()


async def test_a_killed_house_ends_its_execution_when_it_is_back(
    own_house: House, session: aiohttp.ClientSession
) -> None:
    async with FakeRegistry() as source:
        image = source.repository("library/app").put_image("1.0", layers=(b"layer" * 100_000,))
        held = asyncio.Event()
        source.faults.add(Fault(method="GET", kind="blob", times=-1, hold=held))
        api = Api(own_house.url, session)
        policy = await api.policy(
            "killed",
            source=await api.endpoint("source", source),
            filters=acceptance.names("library/**"),
        )
        execution = await api.start(policy)
        await _asked_for_a_blob(source)
        own_house.kill()
        held.set()
        own_house.start()
        api = Api(own_house.url, session)
        ended = await api.ended(execution, seconds=90)
        assert ended["status"] == "Succeed", own_house.last_words()
        assert ended["total"] == 1
        pulled = await _manifest(own_house, session, "library/app", "1.0")
        assert pulled == image.body


async def test_without_valkey_work_is_accepted_and_waits(
    short_folder: Path, valkey: EmbeddedValkey, session: aiohttp.ClientSession
) -> None:
    (short_folder / "house").mkdir()
    house = House(folder=short_folder / "house", environment={"TRANSSHIP_REDIS_DSN": valkey.dsn()})
    house.start()
    try:
        async with FakeRegistry() as source:
            source.repository("library/app").put_image("1.0")
            api = Api(house.url, session)
            policy = await api.policy("waits", source=await api.endpoint("source", source))
            valkey.stop()
            before = source.requests.count()
            execution = await api.start(policy)
            await asyncio.sleep(NOTHING_RUNS_SECONDS)  # nothing to wait for: nothing may happen
            waiting = await api.get(f"/replication/executions/{execution}")
            assert waiting["status"] == "InProgress"
            assert source.requests.count() == before
            valkey.start()
            ended = await api.ended(execution, seconds=BACK_SECONDS)
            assert ended["status"] == "Succeed", house.last_words()
    finally:
        house.stop()


async def _asked_for_a_blob(source: FakeRegistry) -> None:
    async with asyncio.timeout(acceptance.RUN_SECONDS):
        while not source.requests.count("GET", "blob"):  # noqa: ASYNC110 - the fake has no event
            await asyncio.sleep(0.02)


async def _manifest(
    house: House, session: aiohttp.ClientSession, repository: str, tag: str
) -> bytes:
    url = f"{house.url}/v2/{repository}/manifests/{tag}"
    headers = {"Authorization": aiohttp.encode_basic_auth("admin", acceptance.PASSWORD)}
    async with session.get(url, headers=headers) as response:
        assert response.status == 200
        return await response.read()
