"""What an answer comes to: final, another attempt after a pause, or a wait that spends none."""

from __future__ import annotations

from typing import assert_never

from jobservice.domain.retrying import RetryRule
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import Claimed, TaskError, TaskStatus
from jobservice.jobs.base import Answer, Failed, Snoozed, Stopped, Succeeded

MESSAGE_LIMIT = 4000
REASON_LIMIT = 1000


def settlement(
    task: Claimed, answer: Answer, rule: RetryRule, *, jitter: float, duration_seconds: float
) -> Settlement:
    """Return how the try is written down; `jitter` from 0 to 1 spreads retries."""
    match answer:
        case Succeeded():
            return Settlement(
                task=task,
                status=TaskStatus.SUCCEEDED,
                result=dict(answer.result),
                unchanged=answer.unchanged,
                status_text=answer.status_text,
                duration_seconds=duration_seconds,
            )
        case Stopped():
            return Settlement(
                task=task, status=TaskStatus.STOPPED, duration_seconds=duration_seconds
            )
        case Snoozed():
            return _snoozed(task, answer, duration_seconds)
        case Failed(error=error) if error.retryable and rule.allows(task.attempt):
            return _again(task, error, rule, jitter, duration_seconds)
        case Failed(error=error):
            return _failed(task, error, duration_seconds)
        case _:
            assert_never(answer)


def given_back(task: Claimed, worker: str, *, duration_seconds: float) -> Settlement:
    """Return the end of a try that its worker cut short because it shuts down."""
    return Settlement(
        task=task,
        status=TaskStatus.PENDING,
        reason=shutdown_reason(worker),
        duration_seconds=duration_seconds,
    )


def shutdown_reason(worker: str) -> str:
    """Say why a polite worker does not go on."""
    return f"given back by {worker}, which shuts down"


def unkept(settlement: Settlement, problem: Exception) -> Settlement:
    """Return the end of a try whose outcome Postgres refuses to keep."""
    message = f"how it ended cannot be kept: {problem}"
    return _failed(
        settlement.task,
        TaskError(message=message[:MESSAGE_LIMIT], kind=type(problem).__name__),
        settlement.duration_seconds,
    )


def _snoozed(task: Claimed, answer: Snoozed, duration_seconds: float) -> Settlement:
    message = answer.reason.message if answer.reason else "it cannot run now"
    whose = f" for registry {answer.registry}" if answer.registry else ""
    return Settlement(
        task=task,
        status=TaskStatus.PENDING,
        reason=f"waits {_seconds(answer.delay_seconds)}{whose}: {message}"[:REASON_LIMIT],
        error=answer.reason,
        delay_seconds=answer.delay_seconds,
        endpoint_id=answer.endpoint_id,
        duration_seconds=duration_seconds,
    )


def _again(
    task: Claimed, error: TaskError, rule: RetryRule, jitter: float, duration_seconds: float
) -> Settlement:
    delay_seconds = rule.delay_seconds(task.attempt, jitter=jitter)
    which = f"retry {task.attempt}/{rule.attempts - 1} in {_seconds(delay_seconds)}"
    return Settlement(
        task=task,
        status=TaskStatus.RETRYING,
        reason=f"{which}: {error.message}"[:REASON_LIMIT],
        error=error,
        delay_seconds=delay_seconds,
        duration_seconds=duration_seconds,
    )


def _failed(task: Claimed, error: TaskError, duration_seconds: float) -> Settlement:
    return Settlement(
        task=task,
        status=TaskStatus.FAILED,
        reason=error.message[:REASON_LIMIT],
        error=error,
        status_text=error.message[:MESSAGE_LIMIT] if task.is_plan else None,
        duration_seconds=duration_seconds,
    )


def _seconds(value: float) -> str:
    return f"{value:.0f} s" if value >= 1 else f"{value:.1f} s"
