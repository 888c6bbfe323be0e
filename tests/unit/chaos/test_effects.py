"""What counts as an effect that was doubled."""

from __future__ import annotations

from tests.chaos.effects import Claim, judge
from tests.chaos.receiver import Write

TASKS: dict[tuple[str, ...], int] = {("app", "1"): 7}
FIRST = Claim(fence=1, pid=10, since=100, until=200)
SECOND = Claim(fence=2, pid=11, since=210, until=300)


def write(pid: int | None, arrived_at: float, answered_at: float | None = None) -> Write:
    return Write(
        what=("app", "1"),
        pid=pid,
        arrived_at=arrived_at,
        answered_at=arrived_at + 1 if answered_at is None else answered_at,
    )


def test_one_write_under_one_fence_is_fine() -> None:
    judged = judge([write(11, 250)], TASKS, {7: [FIRST, SECOND]}, {})
    assert (judged.doubled, judged.on_the_wire) == ((), 0)


def test_the_same_fence_may_write_again() -> None:
    assert judge([write(10, 150), write(10, 160)], TASKS, {7: [FIRST]}, {}).doubled == ()


def test_two_fences_that_wrote_are_a_doubled_effect() -> None:
    assert (
        len(judge([write(10, 150), write(11, 250)], TASKS, {7: [FIRST, SECOND]}, {}).doubled) == 1
    )


def test_a_write_after_the_fence_was_lost_is_a_doubled_effect() -> None:
    assert len(judge([write(10, 220)], TASKS, {7: [FIRST, SECOND]}, {}).doubled) == 1


def test_a_write_by_a_process_that_never_held_it_is_a_doubled_effect() -> None:
    assert len(judge([write(12, 220)], TASKS, {7: [FIRST, SECOND]}, {}).doubled) == 1


def test_a_write_under_way_when_the_fence_was_lost_is_counted_apart() -> None:
    writes = [write(10, 199, answered_at=201), write(11, 250)]
    judged = judge(writes, TASKS, {7: [FIRST, SECOND]}, {})
    assert (judged.doubled, judged.on_the_wire) == ((), 1)


def test_a_process_that_is_gone_is_taken_for_the_holder() -> None:
    assert judge([write(None, 150)], TASKS, {7: [FIRST]}, {}).doubled == ()


def test_a_tag_that_nobody_was_to_write_is_a_doubled_effect() -> None:
    assert len(judge([write(10, 150)], {}, {}, {}).doubled) == 1


def test_a_message_that_arrived_and_is_sent_again_is_a_doubled_effect() -> None:
    writes = [write(10, 150), write(10, 160)]
    assert len(judge(writes, TASKS, {7: [FIRST]}, {7: 155}).doubled) == 1


def test_a_message_whose_sender_died_before_it_noted_the_answer_is_counted_apart() -> None:
    writes = [write(10, 150), write(11, 250)]
    judged = judge(writes, TASKS, {7: [FIRST, SECOND]}, {7: 252})
    assert (judged.doubled, judged.on_the_wire) == ((), 1)


def test_a_message_under_a_fence_that_was_lost_is_a_doubled_effect() -> None:
    writes = [write(10, 220), write(11, 250)]
    assert len(judge(writes, TASKS, {7: [FIRST, SECOND]}, {7: 252}).doubled) == 1
