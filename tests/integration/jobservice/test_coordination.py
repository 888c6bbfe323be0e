"""The request rate of a registry, over all workers, and while Redis is away."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jobservice.coordination import RateLimits, Share

PER_SECOND = 4


class Clock:
    """Remembers pauses instead of making them."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


async def test_all_workers_share_a_rate_after_a_second_s_worth_at_once(valkey_url: str) -> None:
    clock = Clock()
    async with RateLimits.connected(valkey_url) as one, RateLimits.connected(valkey_url) as two:
        one.pause_with(clock.sleep)
        two.pause_with(clock.sleep)
        gates = [one.gate(7, PER_SECOND, workers=2), two.gate(7, PER_SECOND, workers=2)]
        for number in range(12):
            await gates[number % 2].admit()
    # Four at once, then one more each quarter of a second, less what the test itself took.
    assert len(clock.pauses) == 8
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[-1] == pytest.approx(8 / PER_SECOND, abs=0.5)


async def test_registries_do_not_share(valkey_url: str) -> None:
    clock = Clock()
    async with RateLimits.connected(valkey_url) as limits:
        limits.pause_with(clock.sleep)
        for endpoint_id in range(PER_SECOND * 3):
            await limits.gate(endpoint_id, PER_SECOND, workers=1).admit()
    assert clock.pauses == []


async def test_without_redis_a_worker_keeps_to_its_share(tmp_path: Path) -> None:
    clock = Clock()
    async with RateLimits.connected(f"unix://{tmp_path}/nobody.sock") as limits:
        limits.pause_with(clock.sleep)
        gate = limits.gate(7, PER_SECOND, workers=2)
        for _ in range(3):
            await gate.admit()
    assert clock.pauses == pytest.approx([0.5, 1.0], abs=0.2)


def test_a_share_waits_one_interval_after_the_other() -> None:
    now = [100.0]
    share = Share(2, clock=lambda: now[0])
    assert [share.reserve() for _ in range(3)] == [0, 0.5, 1.0]
    now[0] = 200.0
    assert share.reserve() == 0
