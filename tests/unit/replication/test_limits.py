from __future__ import annotations

import pytest

from protocol.digest import Digest
from replication.limits import Bandwidth, Limits

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_bytes_flow_at_the_given_rate() -> None:
    clock = Clock()
    bucket = Bandwidth(1000, clock=clock, sleep=clock.sleep)
    for _ in range(50):
        await bucket.take(200)
    assert clock.now == pytest.approx(10, abs=0.3)


async def test_an_idle_bucket_saves_no_more_than_a_burst() -> None:
    clock = Clock()
    bucket = Bandwidth(1000, clock=clock, sleep=clock.sleep)
    clock.now = 3600
    await bucket.take(1250)
    assert clock.now == pytest.approx(3601)


def test_a_kilobit_is_128_bytes() -> None:
    assert Bandwidth.from_kilobits(None) is None
    assert Bandwidth.from_kilobits(8) is not None
    with pytest.raises(ValueError, match="must be positive"):
        Bandwidth(0)


async def test_both_sides_are_held_and_given_back() -> None:
    limits = Limits(source=1, destination=1)
    async with limits.both():
        assert limits.source.locked()
        assert limits.destination.locked()
    assert not limits.source.locked()
