from __future__ import annotations

import pytest

from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint
from jobservice.jobs import explaining
from jobservice.jobs.base import Failed, Snoozed
from protocol.errors import RateLimited, Unavailable
from replication.errors import CopyFailed, PlanningFailed, Side
from replication.policy import ReplicationPolicy


def end(endpoint_id: int) -> SnapshotEndpoint:
    return SnapshotEndpoint(
        endpoint_id=endpoint_id, kind="k", url=f"http://r{endpoint_id}", name="n", insecure=False
    )


SNAPSHOT = PolicySnapshot(rules=ReplicationPolicy(), source=end(1), destination=end(2))


def limited(seconds: float | None) -> RateLimited:
    error = RateLimited("slow down", operation="pull", url="http://r", status=429)
    error.retry_after_seconds = seconds
    return error


def unavailable(seconds: float | None) -> Unavailable:
    error = Unavailable("busy", operation="pull", url="http://r", status=503)
    error.retry_after_seconds = seconds
    return error


def at(side: Side, cause: Exception) -> CopyFailed:
    return CopyFailed(side=side, operation="pull", reference="a:1", cause=cause)


def answer(error: Exception) -> Failed | Snoozed:
    with pytest.raises((CopyFailed, explaining.RegistryBusy, PlanningFailed)) as caught:
        _raise_within(error)
    return explaining.explain(caught.value)


@explaining.naming_the_busy(SNAPSHOT)
def _raise_within(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "endpoint_id", "seconds"),
    [
        (at(Side.SOURCE, limited(120)), 1, 120),
        (at(Side.DESTINATION, limited(None)), 2, 30),
        (at(Side.DESTINATION, unavailable(90)), 2, 90),
        (PlanningFailed(operation="list", cause=limited(7200)), 1, 3600),
    ],
)
def test_a_registry_that_wants_to_be_left_alone_is_named(
    error: Exception, endpoint_id: int, seconds: float
) -> None:
    found = answer(error)
    assert isinstance(found, Snoozed)
    assert (found.endpoint_id, found.delay_seconds) == (endpoint_id, seconds)
    assert found.reason is not None


@pytest.mark.parametrize("seconds", [None, 5])
def test_a_registry_that_is_away_for_a_moment_is_a_failure_worth_another_try(
    seconds: float | None,
) -> None:
    found = answer(at(Side.SOURCE, unavailable(seconds)))
    assert isinstance(found, Failed)
    assert found.error.retryable
