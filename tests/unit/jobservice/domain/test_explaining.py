from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobservice.domain import explaining
from jobservice.domain.explaining import Code, EndpointFacts, Facts, Workers
from jobservice.domain.limits import EndpointState
from jobservice.domain.pause import Held, Pause, PauseScope
from jobservice.domain.task import TaskStatus

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(seconds=42)
WAITING = Facts(
    now=NOW,
    status=TaskStatus.PENDING,
    reason="",
    job_type="copy",
    zone=None,
    attempt=1,
    attempts=5,
    error="",
    not_before=None,
    queued_at=NOW,
    worker="worker 7 (here)",
    lease_until=LATER,
    started_at=NOW,
    ended_at=None,
    stop_requested_at=None,
    pauses=(),
    endpoints=(),
    job_type_limit=None,
    job_type_in_flight=0,
    workers=Workers(serving=1, knowing=1),
    before=3,
    rivals=2,
)
PAUSE = Pause(held=Held(scope=PauseScope.EVERYTHING), paused_by="ann", paused_at=NOW)
STATE = EndpointState(
    endpoint_id=7,
    concurrency=4,
    requests_per_second=None,
    postponed_until=LATER,
    postponed_because="429 Too Many Requests",
    is_postponed=True,
)


@pytest.mark.parametrize(
    ("different", "code", "said"),
    [
        ({}, Code.WAITS_FOR_ITS_TURN, "3 tasks of its execution come before it, 2 other"),
        ({"pauses": [PAUSE]}, Code.PAUSED, "everything is paused by ann since 2026-01-01 12:00:00"),
        (
            {
                "pauses": [
                    replace(PAUSE, held=Held(scope=PauseScope.DESTINATION, key="7"), name="hub")
                ]
            },
            Code.PAUSED,
            "destination hub is paused by ann",
        ),
        (
            {"pauses": [replace(PAUSE, held=Held(scope=PauseScope.JOB_TYPE, key="copy"))]},
            Code.PAUSED,
            "job type copy is paused by ann",
        ),
        (
            {"pauses": [replace(PAUSE, comment="disk full")]},
            Code.PAUSED,
            "12:00:00 UTC: disk full",
        ),
        (
            {"workers": Workers(serving=0, knowing=0), "zone": "plant-a"},
            Code.NO_WORKER,
            "no worker in zone plant-a",
        ),
        (
            {"workers": Workers(serving=1, knowing=0)},
            Code.TYPE_UNKNOWN,
            "no worker in zone default knows job type copy",
        ),
        (
            {"endpoints": [EndpointFacts(name="hub", state=STATE, in_flight=0)]},
            Code.REGISTRY_POSTPONED,
            "registry hub is left alone until 2026-01-01 12:00:42 UTC: 429 Too Many Requests",
        ),
        (
            {
                "endpoints": [
                    EndpointFacts(name="hub", state=replace(STATE, is_postponed=False), in_flight=4)
                ]
            },
            Code.REGISTRY_FULL,
            "registry hub has its limit: 4/4",
        ),
        (
            {"job_type_limit": 2, "job_type_in_flight": 2},
            Code.JOB_TYPE_FULL,
            "job type copy has its limit: 2/2",
        ),
        ({"redis_problem": "Redis does not answer"}, Code.REDIS_AWAY, "Redis does not answer"),
        ({"not_before": LATER}, Code.NOT_BEFORE, "waits for 42 s"),
        (
            {"not_before": LATER, "reason": "its worker ended"},
            Code.NOT_BEFORE,
            "waits for 42 s: its worker ended",
        ),
        (
            {
                "status": TaskStatus.RETRYING,
                "attempt": 4,
                "attempts": 6,
                "not_before": LATER,
                "error": "502 Bad Gateway",
            },
            Code.RETRYING,
            "retry 3/5 in 42 s: 502 Bad Gateway",
        ),
        (
            {"status": TaskStatus.RETRYING, "attempt": 3, "attempts": None},
            Code.RETRYING,
            "retry 2 in 0 s",
        ),
        ({"status": TaskStatus.QUEUED}, Code.QUEUED, "queued in Redis since 2026-01-01 12:00:00"),
        (
            {"status": TaskStatus.QUEUED, "redis_problem": "Redis is away"},
            Code.REDIS_AWAY,
            "Redis is away",
        ),
        (
            {"status": TaskStatus.RUNNING},
            Code.RUNNING,
            "running on worker 7 (here) since 2026-01-01 12:00:00 UTC, its lease holds until",
        ),
        (
            {"status": TaskStatus.RUNNING, "stop_requested_at": NOW},
            Code.STOPPING,
            "asked to stop at 2026-01-01 12:00:00 UTC",
        ),
        (
            {"status": TaskStatus.FAILED, "ended_at": NOW, "error": "404 not found"},
            Code.ENDED,
            "failed at 2026-01-01 12:00:00 UTC: 404 not found",
        ),
        ({"status": TaskStatus.SUCCEEDED, "ended_at": NOW}, Code.ENDED, "succeeded at 2026-01-01"),
    ],
)
def test_what_holds_a_task_is_said_first(different: dict[str, Any], code: Code, said: str) -> None:
    first, *_ = explaining.explain(replace(WAITING, **different))
    assert first.code is code
    assert said in first.message


def test_a_registry_without_limits_holds_nothing_back() -> None:
    state = replace(STATE, concurrency=None, is_postponed=False)
    facts = replace(
        WAITING,
        endpoints=[EndpointFacts(name="hub", state=state, in_flight=99)],
        job_type_limit=2,
        job_type_in_flight=1,
    )
    assert [one.code for one in explaining.explain(facts)] == [Code.WAITS_FOR_ITS_TURN]


def test_everything_that_holds_a_task_is_said() -> None:
    facts = replace(WAITING, pauses=[PAUSE], redis_problem="away", not_before=LATER)
    codes = [one.code for one in explaining.explain(facts)]
    assert codes == [Code.PAUSED, Code.REDIS_AWAY, Code.NOT_BEFORE]


@pytest.mark.parametrize("status", [TaskStatus.PENDING, TaskStatus.QUEUED, TaskStatus.RUNNING])
@pytest.mark.parametrize(
    ("per_second", "ahead_seconds", "said"),
    [
        (120, 0.999, "registry hub has its rate: 120/120 requests in 1 s, the next in 7 ms"),
        (2.5, 1.0, "registry hub has its rate: 2/2 requests in 1 s, the next in 400 ms"),
        (0.1, 4.2, "registry hub has its rate: 1/1 requests in 10 s, the next in 4 s"),
        (120, 0.5, None),
        (120, None, None),
        (None, 1.0, None),
    ],
)
def test_a_rate_that_is_used_up_is_said_after_what_weighs_more(
    status: TaskStatus, per_second: float | None, ahead_seconds: float | None, said: str | None
) -> None:
    state = replace(STATE, is_postponed=False, concurrency=None, requests_per_second=per_second)
    endpoint = EndpointFacts(name="hub", state=state, in_flight=0, ahead_seconds=ahead_seconds)
    _, *more = explaining.explain(replace(WAITING, status=status, endpoints=[endpoint]))
    expected = [(Code.REGISTRY_RATE, said)] if said else []
    assert [(one.code, one.message) for one in more] == expected
