from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobservice.domain import turns
from jobservice.domain.lane import Lane
from jobservice.domain.turns import Busy, Candidate, Flight, Limits

ACT = Lane(queue="transfer", zone=None, job_type="act")
ROOM = ("transfer", None)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def waiting(
    execution_id: int, count: int, *, priority: int = 0, endpoints: tuple[int, ...] = ()
) -> list[Candidate]:
    """The first tasks of an execution; the higher its id, the later it came."""
    return [
        Candidate(
            task_id=100 * execution_id + place,
            lane=ACT,
            execution_id=execution_id,
            place=place,
            priority=priority,
            turn_at=NOON + timedelta(minutes=execution_id - 10 * priority),
            endpoint_ids=endpoints,
        )
        for place in range(1, count + 1)
    ]


def picked(candidates: list[Candidate], size: int, *busy: Busy, limits: Limits) -> list[int]:
    found = turns.pick(candidates, {ROOM: size}, Flight(busy, limits))
    return [candidate.execution_id for candidate in found]


def order(candidates: list[Candidate], in_flight: dict[int, int] | None = None) -> list[int]:
    return [one.execution_id for one in turns.in_turn(candidates, in_flight or {})]


def test_first_everybodys_first_then_everybodys_second() -> None:
    assert order([*waiting(1, 3), *waiting(2, 2)]) == [1, 2, 1, 2, 1]


def test_what_is_in_flight_comes_first_in_the_count() -> None:
    assert order([*waiting(1, 2), *waiting(2, 3)], {1: 2}) == [2, 2, 1, 2, 1]


def test_a_higher_priority_takes_wider_turns_and_a_lower_one_rarer() -> None:
    assert order([*waiting(1, 3), *waiting(2, 6, priority=2)]) == [2, 2, 2, 1, 2, 2, 2, 1, 1]
    assert order([*waiting(1, 3, priority=-1), *waiting(2, 3)]) == [2, 1, 2, 2, 1, 1]


def test_a_full_registry_lets_others_pass() -> None:
    candidates = [*waiting(1, 3, endpoints=(0, 7)), *waiting(2, 3, endpoints=(0, 8))]
    assert picked(candidates, 9, limits=Limits(endpoints={7: 1})) == [1, 2, 2, 2]


def test_a_registry_full_from_before_takes_nothing() -> None:
    flight = Flight(
        [Busy(execution_id=5, job_type="act", count=4, endpoint_ids=(7,))],
        Limits(endpoints={7: 4, 8: 1}),
    )
    assert flight.full_endpoints == {7}
    assert turns.pick(waiting(1, 1, endpoints=(7, 9)), {ROOM: 1}, flight) == ()


def test_a_job_type_at_its_limit_waits() -> None:
    busy = Busy(execution_id=5, job_type="act", count=1)
    assert picked(waiting(1, 5), 9, busy, limits=Limits(job_types={"act": 3})) == [1, 1]


def test_a_queue_that_is_not_served_gets_nothing() -> None:
    assert turns.pick(waiting(1, 1), {}, Flight([], Limits())) == ()


@given(
    st.lists(st.tuples(st.integers(1, 9), st.integers(-3, 9)), min_size=1, max_size=8),
    st.integers(0, 30),
    st.integers(1, 5),
)
def test_no_limit_is_exceeded_and_nothing_that_fits_is_left(
    shape: list[tuple[int, int]], size: int, limit: int
) -> None:
    candidates = [
        one
        for number, (count, priority) in enumerate(shape)
        for one in waiting(number, count, priority=priority, endpoints=(number % 2,))
    ]
    flight = Flight([], Limits(endpoints={0: limit}))
    found = turns.pick(candidates, {ROOM: size}, flight)
    of_limited = sum(one.endpoint_ids == (0,) for one in found)
    fitting = min(limit, sum(one.endpoint_ids == (0,) for one in candidates)) + sum(
        one.endpoint_ids == (1,) for one in candidates
    )
    assert of_limited <= limit
    assert len(found) == min(size, fitting)
