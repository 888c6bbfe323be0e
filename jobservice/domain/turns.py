"""Whose turn it is: from candidates and limits to the tasks that go next.

Fair between executions: what an execution has in flight counts, so that first every execution gets
its first task, then every one its second. A priority above zero widens a turn (5: six tasks in
place of one), one below zero makes it rarer. Equal turns go by `turn_at`: who waits longer comes
first, a priority level being worth ten minutes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from jobservice.domain.lane import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pending task that nothing holds back; `place` counts from 1 within execution and lane."""

    task_id: int
    lane: Lane
    execution_id: int
    place: int
    priority: int
    turn_at: datetime
    endpoint_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """How many tasks of a type an execution has in flight: queued or running."""

    execution_id: int
    job_type: str
    count: int
    endpoint_ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many tasks may be in flight at once, by registry and by job type."""

    endpoints: Mapping[int, int] = field(default_factory=dict)
    job_types: Mapping[str, int] = field(default_factory=dict)


class Flight:
    """What is in flight, counted three ways, and what still fits."""

    def __init__(self, busy: Iterable[Busy], limits: Limits) -> None:
        self._limits = limits
        self._endpoints: Counter[int] = Counter()
        self._job_types: Counter[str] = Counter()
        self.executions: Counter[int] = Counter()
        for one in busy:
            self._count(one.execution_id, one.job_type, one.endpoint_ids, one.count)

    @property
    def full_endpoints(self) -> frozenset[int]:
        """The registries that take no more tasks."""
        return frozenset(
            each for each, limit in self._limits.endpoints.items() if self._endpoints[each] >= limit
        )

    def has_room_for(self, job_type: str) -> bool:
        """Say whether another task of this type may start."""
        limit = self._limits.job_types.get(job_type)
        return limit is None or self._job_types[job_type] < limit

    def take(self, candidate: Candidate) -> bool:
        """Count a task in if every limit lets it; say whether it was."""
        full = self.full_endpoints
        if not self.has_room_for(candidate.lane.job_type) or full.intersection(
            candidate.endpoint_ids
        ):
            return False
        self._count(candidate.execution_id, candidate.lane.job_type, candidate.endpoint_ids, 1)
        return True

    def _count(
        self, execution_id: int, job_type: str, endpoint_ids: Sequence[int], count: int
    ) -> None:
        self.executions[execution_id] += count
        self._job_types[job_type] += count
        self._endpoints.update(dict.fromkeys(endpoint_ids, count))


def pick(
    candidates: Iterable[Candidate], rooms: Mapping[tuple[str, str | None], int], flight: Flight
) -> tuple[Candidate, ...]:
    """Return who goes next, the first first; `rooms` is how many each (queue, zone) takes."""
    left = dict(rooms)
    picked = []
    for candidate in in_turn(candidates, flight.executions):
        place = candidate.lane.queue, candidate.lane.zone
        if left.get(place, 0) > 0 and flight.take(candidate):
            left[place] -= 1
            picked.append(candidate)
    return tuple(picked)


def in_turn(candidates: Iterable[Candidate], in_flight: Mapping[int, int]) -> list[Candidate]:
    """Return candidates in the order of their turns."""
    before = dict(in_flight)
    return sorted(
        candidates,
        key=lambda c: (
            _turn(before.get(c.execution_id, 0) + c.place - 1, c.priority),
            c.turn_at,
            c.execution_id,
            c.place,
            c.task_id,
        ),
    )


def _turn(ahead: int, priority: int) -> int:
    """Return in which turn a task goes that has so many of its execution ahead of it."""
    return ahead // (1 + priority) if priority >= 0 else ahead * (1 - priority)
