from __future__ import annotations

import asyncio

import pytest

from protocol.digest import Digest
from replication.limits import Bandwidth, Limits
from replication.memory import DestinationMemory

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


def test_places_are_remembered_and_the_oldest_are_dropped() -> None:
    memory = DestinationMemory(locations=1)
    memory.remember("a", ONE)
    assert memory.holds("a", ONE)
    assert memory.elsewhere("b", ONE) == "a"
    assert memory.elsewhere("a", ONE) is None
    memory.remember("a", TWO)
    assert not memory.holds("a", ONE)
    assert memory.elsewhere("b", ONE) is None


def test_a_place_can_be_forgotten() -> None:
    memory = DestinationMemory()
    memory.remember("a", ONE)
    memory.remember("b", ONE)
    memory.forget("b", ONE)
    memory.forget("c", ONE)
    assert memory.holds("a", ONE)
    assert memory.elsewhere("c", ONE) is None


def test_preparation_is_remembered_up_to_a_limit() -> None:
    memory = DestinationMemory(locations=1)
    memory.mark_prepared("a")
    assert memory.is_prepared("a")
    memory.mark_prepared("b")
    assert not memory.is_prepared("a")


async def test_a_turn_passes_on_when_its_holder_fails() -> None:
    memory = DestinationMemory()
    entered: list[str] = []

    async def enter(name: str, *, fail: bool) -> None:
        async with memory.turns.turn("key"):
            entered.append(name)
            await asyncio.sleep(0)
            if fail:
                raise ValueError(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(_expecting(enter("one", fail=True)))
        group.create_task(enter("two", fail=False))
    assert entered == ["one", "two"]


async def _expecting(work: object) -> None:
    with pytest.raises(ValueError, match="one"):
        await work  # type: ignore[misc]
