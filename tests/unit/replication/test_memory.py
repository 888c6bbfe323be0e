from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest

from protocol.digest import Digest
from replication.memory import DestinationMemory

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


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


async def _expecting(work: Awaitable[None]) -> None:
    with pytest.raises(ValueError, match="one"):
        await work


def test_a_place_is_believed_for_a_while_only() -> None:
    now = [0.0]
    memory = DestinationMemory(trusted_seconds=10, clock=lambda: now[0])
    memory.remember("a", ONE)
    memory.mark_prepared("a")
    now[0] = 9
    assert memory.holds("a", ONE)
    assert memory.is_prepared("a")
    now[0] = 10
    assert not memory.holds("a", ONE)
    assert not memory.is_prepared("a")
    assert memory.elsewhere("b", ONE) == "a"
