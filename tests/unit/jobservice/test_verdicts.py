"""What an answer comes to."""

from __future__ import annotations

import pytest

from jobservice import verdicts
from jobservice.domain.retrying import RetryRule
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import Claimed, TaskError, TaskStatus
from jobservice.jobs.base import Answer, Failed, Snoozed, Stopped, Succeeded

RULE = RetryRule(attempts=4, first_seconds=10, longest_seconds=100)
PASSING = TaskError(message="503 from the registry", kind="Unavailable", retryable=True)
FINAL = TaskError(message="no such tag", kind="NotFound")


def task(*, attempt: int = 1, is_plan: bool = False) -> Claimed:
    return Claimed(
        id=7,
        execution_id=1,
        job_type="act",
        is_plan=is_plan,
        parameters={},
        snapshot={},
        checkpoint=None,
        delivery=3,
        attempt=attempt,
        fence=5,
        stop_requested=False,
    )


def settled(answer: Answer, *, attempt: int = 1, is_plan: bool = False) -> Settlement:
    claimed = task(attempt=attempt, is_plan=is_plan)
    return verdicts.settlement(claimed, answer, RULE, jitter=0, duration_seconds=2)


def test_success_keeps_its_result() -> None:
    end = settled(Succeeded(result={"bytes_copied": 9}, unchanged=True, status_text="fine"))
    assert (end.status, end.result, end.unchanged) == (
        TaskStatus.SUCCEEDED,
        {"bytes_copied": 9},
        True,
    )
    assert (end.key, end.status_text, end.bytes_copied, end.attempts) == ((7, 5), "fine", 9, 0)
    assert end.duration_seconds == 2


@pytest.mark.parametrize("result", [None, {"bytes_copied": "many"}])
def test_bytes_are_counted_where_the_job_counted_them(result: dict[str, str] | None) -> None:
    end = Settlement(task=task(), status=TaskStatus.SUCCEEDED, result=result)
    assert end.bytes_copied == 0


def test_a_passing_failure_is_tried_again_after_a_growing_pause() -> None:
    first, third = settled(Failed(error=PASSING)), settled(Failed(error=PASSING), attempt=3)
    assert (first.status, first.attempts, first.delay_seconds) == (TaskStatus.RETRYING, 1, 10)
    assert first.reason == "retry 1/3 in 10 s: 503 from the registry"
    assert third.reason == "retry 3/3 in 40 s: 503 from the registry"


def test_the_last_attempt_is_final() -> None:
    end = settled(Failed(error=PASSING), attempt=4)
    assert (end.status, end.error, end.reason) == (TaskStatus.FAILED, PASSING, PASSING.message)
    assert end.status_text is None


def test_a_final_failure_is_not_tried_again() -> None:
    end = settled(Failed(error=FINAL), is_plan=True)
    assert (end.status, end.status_text) == (TaskStatus.FAILED, "no such tag")


def test_a_snooze_spends_no_attempt_and_says_what_it_waits_for() -> None:
    end = settled(Snoozed(delay_seconds=0.5, reason=PASSING, endpoint_id=4))
    assert (end.status, end.attempts, end.delay_seconds) == (TaskStatus.PENDING, 0, 0.5)
    assert (end.endpoint_id, end.error) == (4, PASSING)
    assert end.reason == "waits 0.5 s: 503 from the registry"
    asked = settled(Snoozed(delay_seconds=60, reason=PASSING, endpoint_id=4, registry="hub"))
    assert asked.reason == "waits 60 s for registry hub: 503 from the registry"
    assert settled(Snoozed(delay_seconds=3)).reason == "waits 3 s: it cannot run now"


def test_a_stop_leaves_the_reason_to_postgres_which_knows_who_asked() -> None:
    assert settled(Stopped()) == Settlement(
        task=task(), status=TaskStatus.STOPPED, duration_seconds=2
    )


def test_a_worker_that_shuts_down_says_so() -> None:
    end = verdicts.given_back(task(), "worker 7 (here)", duration_seconds=1)
    assert (end.status, end.attempts, end.delay_seconds) == (TaskStatus.PENDING, 0, 0)
    assert end.reason == "given back by worker 7 (here), which shuts down"


def test_an_outcome_that_cannot_be_kept_is_a_failure_that_says_so() -> None:
    end = verdicts.unkept(settled(Succeeded()), ValueError("too large"))
    assert end.status is TaskStatus.FAILED
    assert end.error is not None
    assert end.error.message == "how it ended cannot be kept: too large"
