from __future__ import annotations

import pytest

from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint
from jobservice.domain.task import Claimed
from jobservice.jobs import explaining
from jobservice.jobs.base import Failed, Snoozed
from protocol.errors import RateLimited, RegistryError, Unavailable
from replication.errors import CopyFailed, PlanningFailed, Side
from replication.policy import ReplicationPolicy


def end(endpoint_id: int) -> SnapshotEndpoint:
    return SnapshotEndpoint(
        endpoint_id=endpoint_id, kind="k", url="https://r", name=f"r{endpoint_id}", insecure=False
    )


def task(*, fence: int = 1, attempt: int = 1) -> Claimed:
    snapshot = PolicySnapshot(rules=ReplicationPolicy(), source=end(3), destination=end(4))
    return Claimed(
        id=1,
        execution_id=1,
        job_type="replication_transfer",
        is_plan=False,
        parameters={},
        snapshot=snapshot.to_json(),
        checkpoint=None,
        delivery=fence,
        attempt=attempt,
        fence=fence,
        stop_requested=False,
    )


def answered(status: int, seconds: float | None) -> RegistryError:
    kind = RateLimited if status == 429 else Unavailable
    error = kind("busy", operation="read manifest", url="https://r", status=status)
    error.retry_after_seconds = seconds
    return error


def failed(side: Side, cause: Exception) -> CopyFailed:
    return CopyFailed(side=side, operation="reading manifest", reference="app:1", cause=cause)


@pytest.mark.parametrize(
    ("error", "endpoint_id"),
    [
        (failed(Side.SOURCE, answered(429, 90)), 3),
        (failed(Side.DESTINATION, answered(503, 90)), 4),
        (PlanningFailed(operation="listing", cause=answered(429, 90)), 3),
        (PlanningFailed(operation="x", cause=failed(Side.DESTINATION, answered(429, 90))), 4),
        (answered(429, 90), None),
    ],
)
def test_the_pause_is_for_the_registry_that_asked(
    error: Exception, endpoint_id: int | None
) -> None:
    answer = explaining.explain(error, task())
    assert isinstance(answer, Snoozed)
    assert (answer.endpoint_id, answer.delay_seconds) == (endpoint_id, 90)
    assert answer.registry == (f"r{endpoint_id}" if endpoint_id else "")
    assert answer.reason is not None
    assert answer.reason.retryable


@pytest.mark.parametrize("error", [answered(503, None), answered(502, 90)])
def test_a_registry_that_is_broken_asked_for_nothing(error: Exception) -> None:
    assert isinstance(explaining.explain(failed(Side.SOURCE, error), task()), Failed)


@pytest.mark.parametrize(
    ("asked", "before", "seconds"),
    [
        (90, 5, 90),
        (86_400, 0, 3600),
        (None, 0, 30),
        (0, 0, 30),
        (None, 2, 120),
        (None, 99, 300),
        (None, -1, 30),
    ],
)
def test_who_does_not_say_how_long_is_left_alone_longer_each_time(
    asked: float | None, before: int, seconds: float
) -> None:
    assert explaining.pause_seconds(asked, before=before) == seconds


def test_pauses_are_counted_and_attempts_are_not() -> None:
    error = failed(Side.SOURCE, answered(429, None))
    answers = [explaining.explain(error, task(fence=5, attempt=attempt)) for attempt in (5, 4, 3)]
    delays = [answer.delay_seconds for answer in answers if isinstance(answer, Snoozed)]
    assert delays == [30, 60, 120]
