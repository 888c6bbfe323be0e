from __future__ import annotations

import pytest

from jobservice.domain import limits
from jobservice.domain.limits import EndpointLimits


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (EndpointLimits(concurrency=0), "concurrency: 0 is not within 1"),
        (EndpointLimits(concurrency=10**7), "concurrency"),
        (EndpointLimits(requests_per_second=0), "requests_per_second: 0 is not within"),
        (EndpointLimits(requests_per_second=float("nan")), "requests_per_second: nan"),
        (EndpointLimits(requests_per_second=float("inf")), "requests_per_second: inf"),
    ],
)
def test_a_limit_that_cannot_be_is_named(wrong: EndpointLimits, said: str) -> None:
    (problem,) = limits.problems(wrong)
    assert said in problem


def test_no_limits_are_fine_and_so_are_small_ones() -> None:
    assert not list(limits.problems(EndpointLimits()))
    assert not list(limits.problems(EndpointLimits(concurrency=1, requests_per_second=0.5)))
