from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobservice.domain import counting, samples
from jobservice.domain.counting import Key
from jobservice.domain.metric import JOB_TYPES_LIMIT, OTHER, REGISTRIES_LIMIT
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import Claimed, TaskStatus


def ended(
    status: TaskStatus = TaskStatus.SUCCEEDED,
    *,
    job_type: str = "act",
    seconds: float = 0.2,
    copied: int = 0,
    snapshot: Any = None,
) -> Settlement:
    task = Claimed(
        id=1,
        execution_id=1,
        job_type=job_type,
        is_plan=False,
        parameters={},
        snapshot=snapshot or {},
        checkpoint=None,
        delivery=1,
        attempt=1,
        fence=1,
        stop_requested=False,
    )
    result = {"bytes_copied": copied}
    return Settlement(task=task, status=status, result=result, duration_seconds=seconds)


def test_tries_are_counted_by_job_type_and_outcome() -> None:
    found = counting.counts([ended(), ended(), ended(TaskStatus.PENDING)])
    tries = samples.of(counting.TRIES, found)
    assert tries == {("act", "succeeded"): 2, ("act", "snoozed"): 1}


def test_lost_tries_are_counted_apart() -> None:
    assert counting.counts([], lost=2) == {(counting.LEASE_LOSSES, ()): 2}
    assert counting.counts([]) == {}


def retired(*, dry_run: bool) -> Settlement:
    result = {"deleted": 3, "untagged": 0, "refused": 1, "dry_run": dry_run}
    return replace(ended(job_type="RETENTION"), result=result)


def test_what_retention_deletes_is_counted_and_what_a_dry_run_would_is_not() -> None:
    found = counting.counts([retired(dry_run=False), retired(dry_run=False), retired(dry_run=True)])
    assert samples.of(counting.RETIRED, found) == {("artifact",): 6, ("refused",): 2}
    failed = replace(ended(TaskStatus.FAILED, job_type="RETENTION"), result=None)
    assert samples.of(counting.RETIRED, counting.counts([failed])) == {}


def test_a_histogram_counts_upwards_to_all_tries() -> None:
    found = counting.counts([ended(seconds=s) for s in (0.05, 0.1, 3.0, 99999.0)])
    histogram = samples.durations(found)["act", "succeeded"]
    reached = dict(histogram.buckets)
    assert (reached["0.1"], reached["0.5"], reached["5.0"], reached["+Inf"]) == (2, 2, 3, 4)
    assert histogram.total == pytest.approx(0.05 + 0.1 + 3.0 + 99999.0)


def test_bytes_are_counted_by_the_registry_that_got_them() -> None:
    to = {"destination": {"endpoint_id": 7}}
    settled = [ended(copied=10, snapshot=to), ended(copied=5, snapshot=to), ended(copied=1)]
    found = counting.counts([*settled, ended(copied=2, snapshot={"destination": "odd"})])
    assert samples.copied(found, {"7": "hub"}) == {"hub": 15, OTHER: 3}


def test_registries_beyond_the_limit_are_told_together() -> None:
    counters: dict[Key, float] = {(counting.COPIED, (str(n),)): float(n) for n in range(1, 500)}
    names = {str(n): f"registry-{n}" for n in range(1, 500)}
    found = samples.copied(counters, names)
    assert len(found) == REGISTRIES_LIMIT + 1
    assert found["registry-499"] == 499
    assert sum(found.values()) == sum(range(1, 500))


def test_job_types_beyond_the_limit_are_told_together() -> None:
    counters: dict[Key, float] = {
        (counting.TRIES, (f"type-{n:03}", "failed")): 1.0 for n in range(200)
    }
    found = samples.of(counting.TRIES, counters)
    assert len(found) == JOB_TYPES_LIMIT + 1
    assert found[OTHER, "failed"] == 200 - JOB_TYPES_LIMIT


def test_deliveries_of_hooks_are_told_in_their_own_words() -> None:
    settled = [ended(job_type="hook_delivery"), ended()]
    failed = ended(TaskStatus.FAILED, job_type="hook_delivery")
    found = counting.counts([*settled, failed])
    assert samples.hooks(found) == {"delivered": 1, "failed": 1}


@pytest.mark.parametrize(("ahead", "left"), [(0.0, 10.0), (0.4, 6.0), (1.0, 0.0), (30.0, 0.0)])
def test_a_budget_is_a_seconds_worth_less_what_is_reserved(ahead: float, left: float) -> None:
    assert samples.budget(10.0, ahead) == pytest.approx(left)
