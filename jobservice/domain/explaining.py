"""Why a task is where it is: from facts to sentences for people, each with a code for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from jobservice.domain import limits
from jobservice.domain.limits import EndpointState
from jobservice.domain.pause import Pause
from jobservice.domain.task import TaskStatus

DEFAULT_ZONE = "default"


class Code(StrEnum):
    """What a program can go by."""

    PAUSED = "paused"
    REGISTRY_POSTPONED = "registry_postponed"
    REGISTRY_FULL = "registry_full"
    REGISTRY_RATE = "registry_rate"
    JOB_TYPE_FULL = "job_type_full"
    NO_WORKER = "no_worker"
    TYPE_UNKNOWN = "type_unknown"
    NOT_BEFORE = "not_before"
    RETRYING = "retrying"
    WAITS_FOR_ITS_TURN = "waits_for_its_turn"
    QUEUED = "queued"
    REDIS_AWAY = "redis_away"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that explains a task's state."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFacts:
    """A registry of the task's execution, and how many tasks that talk to it are in flight.

    `ahead_seconds` is how far requests are taken in advance; None where nobody knows.
    """

    name: str
    state: EndpointState
    in_flight: int
    ahead_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Live workers of the task's zone that serve its queue, and those that know its type."""

    serving: int
    knowing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything that a task's state follows from, as of `now`.

    `before` counts the pending tasks of the same execution that come first, `rivals` the other
    executions that wait in the same lane.
    """

    now: datetime
    status: TaskStatus
    reason: str
    job_type: str
    zone: str | None
    attempt: int
    attempts: int | None
    error: str
    not_before: datetime | None
    queued_at: datetime | None
    worker: str
    lease_until: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    stop_requested_at: datetime | None
    pauses: Sequence[Pause]
    endpoints: Sequence[EndpointFacts]
    job_type_limit: int | None
    job_type_in_flight: int
    workers: Workers
    before: int
    rivals: int
    redis_problem: str = ""


def explain(facts: Facts) -> tuple[Finding, ...]:
    """Return why a task is where it is, what weighs most first; at least one finding."""
    match facts.status:
        case TaskStatus.PENDING:
            held = (*_held_back(facts), *_not_yet(facts))
            return (*(held or (_turn(facts),)), *_rates(facts))
        case TaskStatus.RETRYING:
            return (_retrying(facts), *_held_back(facts))
        case TaskStatus.QUEUED:
            return (*_queued(facts), *_rates(facts))
        case TaskStatus.RUNNING:
            return (*_running(facts), *_rates(facts))
        case TaskStatus.SUCCEEDED | TaskStatus.FAILED | TaskStatus.STOPPED:
            return (_ended(facts),)
        case _:
            assert_never(facts.status)


def _held_back(facts: Facts) -> Iterator[Finding]:
    for pause in facts.pauses:
        comment = f": {pause.comment}" if pause.comment else ""
        yield Finding(
            code=Code.PAUSED,
            message=f"{pause.what} is paused by {pause.paused_by} since {_at(pause.paused_at)}"
            + comment,
        )
    yield from _workers(facts)
    for endpoint in facts.endpoints:
        yield from _endpoint(endpoint)
    limit = facts.job_type_limit
    if limit is not None and facts.job_type_in_flight >= limit:
        yield Finding(
            code=Code.JOB_TYPE_FULL,
            message=f"job type {facts.job_type} has its limit: {facts.job_type_in_flight}/{limit}",
        )
    if facts.redis_problem:
        yield Finding(code=Code.REDIS_AWAY, message=facts.redis_problem)


def _workers(facts: Facts) -> Iterator[Finding]:
    zone = facts.zone or DEFAULT_ZONE
    if not facts.workers.serving:
        yield Finding(code=Code.NO_WORKER, message=f"no worker in zone {zone}")
    elif not facts.workers.knowing:
        yield Finding(
            code=Code.TYPE_UNKNOWN,
            message=f"no worker in zone {zone} knows job type {facts.job_type}",
        )


def _endpoint(endpoint: EndpointFacts) -> Iterator[Finding]:
    state = endpoint.state
    if state.is_postponed and state.postponed_until is not None:
        yield Finding(
            code=Code.REGISTRY_POSTPONED,
            message=f"registry {endpoint.name} is left alone until"
            f" {_at(state.postponed_until)}: {state.postponed_because}",
        )
    if state.concurrency is not None and endpoint.in_flight >= state.concurrency:
        yield Finding(
            code=Code.REGISTRY_FULL,
            message=f"registry {endpoint.name} has its limit:"
            f" {endpoint.in_flight}/{state.concurrency}",
        )


def _rates(facts: Facts) -> Iterator[Finding]:
    """Yield the registries whose requests wait: a slow task, or one whose slot others hold."""
    for endpoint in facts.endpoints:
        rate, ahead = endpoint.state.requests_per_second, endpoint.ahead_seconds
        if rate is None or ahead is None:
            continue
        wait = limits.next_request_seconds(rate, ahead)
        if wait > 0:
            most = max(1, int(rate))
            span = _span(max(1.0, 1 / rate))
            yield Finding(
                code=Code.REGISTRY_RATE,
                message=f"registry {endpoint.name} has its rate: {most}/{most} requests in {span},"
                f" the next in {_span(wait)}",
            )


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 1 else f"{max(1, round(seconds * 1000))} ms"


def _not_yet(facts: Facts) -> Iterator[Finding]:
    if facts.not_before is not None and facts.not_before > facts.now:
        why = f": {facts.reason}" if facts.reason else ""
        yield Finding(
            code=Code.NOT_BEFORE, message=f"waits for {_until(facts, facts.not_before)}{why}"
        )


def _turn(facts: Facts) -> Finding:
    return Finding(
        code=Code.WAITS_FOR_ITS_TURN,
        message=f"waits for its turn: {facts.before} tasks of its execution come before it,"
        f" {facts.rivals} other executions take turns",
    )


def _retrying(facts: Facts) -> Finding:
    # As the verdict counts: the first attempt is no retry.
    retry = facts.attempt - 1
    tries = f"{retry}/{facts.attempts - 1}" if facts.attempts else str(retry)
    when = _until(facts, facts.not_before or facts.now)
    return Finding(code=Code.RETRYING, message=f"retry {tries} in {when}: {facts.error}")


def _queued(facts: Facts) -> Iterator[Finding]:
    if facts.redis_problem:
        yield Finding(code=Code.REDIS_AWAY, message=facts.redis_problem)
    yield from _workers(facts)
    since = _at(facts.queued_at or facts.now)
    yield Finding(code=Code.QUEUED, message=f"queued in Redis since {since}, for a free slot")


def _running(facts: Facts) -> Iterator[Finding]:
    if facts.stop_requested_at is not None:
        yield Finding(
            code=Code.STOPPING, message=f"asked to stop at {_at(facts.stop_requested_at)}"
        )
    since, lease = _at(facts.started_at or facts.now), _at(facts.lease_until or facts.now)
    yield Finding(
        code=Code.RUNNING,
        message=f"running on {facts.worker} since {since}, its lease holds until {lease}",
    )


def _ended(facts: Facts) -> Finding:
    why = facts.error or facts.reason
    return Finding(
        code=Code.ENDED,
        message=f"{facts.status.value} at {_at(facts.ended_at or facts.now)}"
        + (f": {why}" if why else ""),
    )


def _until(facts: Facts, moment: datetime) -> str:
    return f"{max(0, round((moment - facts.now).total_seconds()))} s"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
