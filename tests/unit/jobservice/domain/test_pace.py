from __future__ import annotations

from jobservice.domain import pace
from jobservice.domain.pace import Measured


def readings(*pairs: tuple[float, int]) -> list[Measured]:
    return [Measured(at_seconds=at, bytes_done=done) for at, done in pairs]


def test_a_rate_is_what_lies_between_readings() -> None:
    assert pace.bytes_per_second(readings((1, 100), (2, 150), (5, 500))) == 100


def test_nobody_can_tell_from_too_little() -> None:
    assert pace.bytes_per_second([]) is None
    assert pace.bytes_per_second(readings((1, 100))) is None
    assert pace.bytes_per_second(readings((1, 100), (2.9, 200))) is None


def test_an_upload_that_went_back_is_no_negative_rate() -> None:
    assert pace.bytes_per_second(readings((1, 100), (9, 20))) == 0


def test_readings_of_the_window_count_and_one_before_it() -> None:
    known = readings((0, 0), (1, 1), (5, 5), (14, 14))
    assert pace.kept(known, 14) == tuple(known[1:])
    assert pace.kept(known, 12) == tuple(known[1:])
    assert pace.kept(known, 3) == tuple(known)
    assert pace.kept([], 3) == ()


def test_the_rest_is_said_only_when_it_is_known() -> None:
    assert pace.seconds_left(25, 100, 10) == 8
    assert pace.seconds_left(100, 100, 10) == 0
    assert pace.seconds_left(25, None, 10) is None
    assert pace.seconds_left(25, 100, None) is None
    assert pace.seconds_left(25, 100, 0) is None
    assert pace.seconds_left(101, 100, 10) is None
