"""Who is among the newest: told while the members of a repository pass by, in little memory.

Of each group only as many are remembered as may win. Ties are won by the higher id, then by who
came later.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from registry.retention.errors import TooManyGroups

GROUPS_LIMIT: Final = 10_000
_Entry = tuple[Any, int, int]  # what it is ranked by, id, unit


@dataclass(frozen=True, slots=True)
class Rank:
    """A winner's place from 1, among how many, and the name of its group, which may be empty."""

    place: int
    total: int
    group: str


NO_RANK: Final = Rank(0, 0, "")


def newest(count: int, entries: Iterable[_Entry], *, total: int) -> Iterator[tuple[int, Rank]]:
    """Yield the first `count` of one group that is known as a whole, with their ranks."""
    for place, (_, _, unit) in enumerate(heapq.nlargest(count, entries), 1):
        yield unit, Rank(place, total, "")


class Newest:
    """The first `count` of each group, whose members pass by."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._winning: dict[str, list[_Entry]] = {}
        self._totals: dict[str, int] = {}

    def offer(self, group: str, key: Any, identity: int, unit: int) -> None:
        """Let a unit take part; raise TooManyGroups."""
        heap = self._winning.get(group)
        if heap is None:
            if len(self._winning) >= GROUPS_LIMIT:
                raise TooManyGroups(f"more than {GROUPS_LIMIT} groups in one repository")
            heap = self._winning[group] = []
            self._totals[group] = 0
        self._totals[group] += 1
        if len(heap) < self._count:
            heapq.heappush(heap, (key, identity, unit))
        elif heap and (key, identity, unit) > heap[0]:
            heapq.heapreplace(heap, (key, identity, unit))

    def winners(self) -> Iterator[tuple[int, Rank]]:
        """Yield units with their ranks."""
        for group, heap in self._winning.items():
            for place, (_, _, unit) in enumerate(sorted(heap, reverse=True), 1):
                yield unit, Rank(place, self._totals[group], group)


class Budget:
    """The newest that weigh no more together than is allowed.

    What is older than one that does not fit does not fit either.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._left = limit_bytes
        self._winning: list[tuple[float, int, int, int]] = []
        self._total = 0
        self._lost: tuple[float, int] | None = None

    def offer(self, time: float, identity: int, unit: int, size_bytes: int) -> None:
        """Let a unit take part."""
        self._total += 1
        if self._lost is not None and (time, identity) < self._lost:
            return
        heapq.heappush(self._winning, (time, identity, unit, size_bytes))
        self._left -= size_bytes
        while self._left < 0:
            time, identity, _, size_bytes = heapq.heappop(self._winning)
            self._left += size_bytes
            self._lost = time, identity

    def winners(self) -> Iterator[tuple[int, Rank]]:
        """Yield units with their ranks."""
        for place, (_, _, unit, _) in enumerate(sorted(self._winning, reverse=True), 1):
            yield unit, Rank(place, self._total, "")
