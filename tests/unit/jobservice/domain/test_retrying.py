from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobservice.domain.retrying import RetryRule

RULE = RetryRule(attempts=3, first_seconds=2, longest_seconds=60)


def test_attempts_count_the_first_try() -> None:
    assert [RULE.allows(attempt) for attempt in (1, 2, 3, 4)] == [True, True, False, False]


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [RULE.delay_seconds(attempt, jitter=0) for attempt in (1, 2, 3, 6, 10_000)]
    assert pauses == [2, 4, 8, 60, 60]


@given(attempt=st.integers(min_value=1, max_value=10**9), jitter=st.floats(0, 1))
def test_a_pause_is_never_over_the_longest_nor_under_half_of_the_first(
    attempt: int, jitter: float
) -> None:
    assert 1 <= RULE.delay_seconds(attempt, jitter=jitter) <= 60


@pytest.mark.parametrize(
    ("attempts", "first_seconds", "longest_seconds"), [(0, 1, 2), (1, 0, 2), (1, 3, 2)]
)
def test_a_rule_that_makes_no_sense_is_refused(
    attempts: int, first_seconds: float, longest_seconds: float
) -> None:
    with pytest.raises(ValueError, match="at least one attempt"):
        RetryRule(attempts=attempts, first_seconds=first_seconds, longest_seconds=longest_seconds)
