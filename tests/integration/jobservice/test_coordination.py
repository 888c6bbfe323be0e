"""The request rate of a registry, over all workers, and while Redis is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic

import pytest
from structlog.testing import capture_logs

from database.pool import Database
from jobservice.coordination import Rate, RateLimits, Share
from jobservice.domain.limits import EndpointLimits
from jobservice.jobs.request_rates import RequestRates
from jobservice.store import limits
from protocol.client.registry import RegistryClient
from protocol.transport import Transport
from tests.fakes.registry.server import FakeRegistry

REGISTRY = 7
PER_SECOND = 20
SLOW = Rate(per_second=0.01)
DEADLINE_SECONDS = 20


@pytest.fixture
async def rates(valkey_url: str) -> AsyncIterator[RateLimits]:
    async with RateLimits.connected(valkey_url) as connected:
        yield connected


async def allow(database: Database, per_second: float | None) -> None:
    async with database.connection() as connection:
        await limits.put(connection, REGISTRY, EndpointLimits(requests_per_second=per_second))


async def test_all_workers_share_a_rate_after_a_second_s_worth_at_once(
    database: Database, valkey_url: str
) -> None:
    await allow(database, PER_SECOND)

    async def ask(client: RegistryClient) -> None:
        for _ in range(20):
            await client.ping()

    async with AsyncExitStack() as stack:
        registry = await stack.enter_async_context(FakeRegistry())
        transport = await stack.enter_async_context(Transport())
        clients = []
        for _ in range(3):
            connected = await stack.enter_async_context(RateLimits.connected(valkey_url))
            client = RegistryClient(transport, url=registry.url)
            client.limit(await RequestRates(database, connected).gate(REGISTRY))
            clients.append(client)
        begun = monotonic()
        async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
            for client in clients:
                group.create_task(ask(client))
    assert registry.requests.count() == 60
    assert PER_SECOND + PER_SECOND * (registry.requests.last_at - begun) + 1 >= 60


async def test_registries_do_not_share(rates: RateLimits) -> None:
    assert [await rates.take(one, SLOW) for one in range(12)] == [0] * 12


async def test_who_is_not_let_through_takes_nothing(rates: RateLimits) -> None:
    assert await rates.take(REGISTRY, SLOW) == 0
    pauses = [await rates.take(REGISTRY, SLOW) for _ in range(20)]
    assert all(0 < pause <= 100 for pause in pauses)
    assert pauses == sorted(pauses, reverse=True)


async def test_a_faster_rate_does_not_wait_for_what_a_slower_one_took(rates: RateLimits) -> None:
    assert await rates.take(REGISTRY, SLOW) == 0
    assert await rates.take(REGISTRY, Rate(per_second=1000)) <= 0.001


async def test_a_wait_is_given_up_at_once(database: Database, rates: RateLimits) -> None:
    await allow(database, SLOW.per_second)
    gate = await RequestRates(database, rates).gate(REGISTRY)
    await gate.admit()
    asked = asyncio.Event()

    async def wait() -> None:
        asked.set()
        await gate.admit()

    async with asyncio.timeout(2):
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(wait()) for _ in range(5)]
            await asked.wait()
            for one in waiting:
                one.cancel()
    assert all(one.cancelled() for one in waiting)
    assert (await rates.ahead([REGISTRY]) or {})[REGISTRY] <= 100


@pytest.mark.parametrize("per_second", [1000, None])
async def test_a_changed_rate_reaches_who_waits(
    database: Database, rates: RateLimits, per_second: float | None
) -> None:
    await allow(database, SLOW.per_second)
    gate = await RequestRates(database, rates, kept_seconds=0.05).gate(REGISTRY)
    await gate.admit()
    async with asyncio.timeout(DEADLINE_SECONDS), asyncio.TaskGroup() as group:
        group.create_task(gate.admit())
        await allow(database, per_second)


async def test_no_cancellation_is_lost_on_the_way_to_redis(
    database: Database, rates: RateLimits
) -> None:
    await allow(database, 1_000_000)
    gate = await RequestRates(database, rates).gate(REGISTRY)

    async def ask() -> None:
        while True:
            await gate.admit()

    async with asyncio.timeout(DEADLINE_SECONDS):
        for turns in range(200):
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(ask())
                for _ in range(turns % 20):
                    await asyncio.sleep(0)
                asking.cancel()
            assert asking.cancelled()


async def test_a_limit_set_later_holds(database: Database, rates: RateLimits) -> None:
    known = RequestRates(database, rates, kept_seconds=0)
    gate = await known.gate(REGISTRY)
    await gate.admit()
    await allow(database, SLOW.per_second)
    await gate.admit()
    assert await rates.take(REGISTRY, SLOW) > 0


async def test_without_redis_a_worker_keeps_to_its_share_and_says_so_once(tmp_path: Path) -> None:
    rate = Rate(per_second=4, workers=100)
    with capture_logs() as logs:
        async with RateLimits.connected(f"unix://{tmp_path}/nobody.sock") as alone:
            pauses = [await alone.take(REGISTRY, rate) for _ in range(3)]
    assert pauses == pytest.approx([0, 25, 25], abs=5)
    assert [line["event"] for line in logs] == ["rate_by_share"]


def test_a_share_waits_one_interval_after_the_other() -> None:
    now = [100.0]
    share, rate = Share(clock=lambda: now[0]), Rate(per_second=4, workers=2)
    assert [share.take(rate) for _ in range(3)] == [0, 0.5, 0.5]
    assert share.take(Rate(per_second=10)) == pytest.approx(0.1)
    now[0] = 100.5
    assert share.take(rate) == 0
