"""What a failure at a registry means for the task: another try, a pause, or the end."""

from __future__ import annotations

from typing import Final

from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint
from jobservice.domain.task import Claimed, TaskError
from jobservice.jobs.base import Failed, Snoozed
from jobservice.logging import redact_text
from protocol import retrying
from protocol.errors import (
    ExchangeError,
    RateLimited,
    Unavailable,
    Unreachable,
    UntrustedCertificate,
)
from replication.errors import CopyFailed, PlanningFailed, Side

_FIRST_PAUSE_SECONDS: Final = 30.0
_LONGEST_OWN_PAUSE_SECONDS: Final = 300.0
_LONGEST_ASKED_PAUSE_SECONDS: Final = 3600.0


def explain(
    error: Exception, task: Claimed, *, registry: SnapshotEndpoint | None = None
) -> Failed | Snoozed:
    """Return the answer to what a plan or a transfer raised; `registry` is the only one it asks.

    A registry that asked for a pause, longer than its client waits, gets it from all its tasks.
    """
    cause = _cause(error)
    facts = error_of(error)
    if not retrying.asks_for_a_pause(cause):
        return Failed(error=facts)
    asked = getattr(cause, "retry_after_seconds", None)
    end = registry or _end(error, task)
    return Snoozed(
        delay_seconds=pause_seconds(asked, before=task.fence - task.attempt),
        reason=facts,
        endpoint_id=end.endpoint_id if end else None,
        registry=end.name if end else "",
    )


def pause_seconds(asked: float | None, *, before: int) -> float:
    """Return how long a registry is left alone; `before` counts the pauses that did not help.

    What it asks for, up to an hour; where it does not say, half a minute, doubled each time.
    """
    if asked:
        return min(asked, _LONGEST_ASKED_PAUSE_SECONDS)
    doublings = min(max(before, 0), 10)
    return min(_FIRST_PAUSE_SECONDS * 2.0**doublings, _LONGEST_OWN_PAUSE_SECONDS)


def error_of(error: Exception) -> TaskError:
    """Return what a task keeps of an error."""
    cause = _cause(error)
    failure = _copy_failure(error)
    return TaskError(
        message=redact_text(str(error)),
        kind=type(cause).__name__,
        operation=_operation(error),
        side=str(_side(error) or ""),
        reference=failure.reference if failure is not None else "",
        retryable=_is_passing(cause),
    )


def _cause(error: BaseException) -> BaseException:
    """Return what lies at the bottom of our own wrappers."""
    while isinstance(error, CopyFailed | PlanningFailed) and error.cause is not None:
        error = error.cause
    return error


def _copy_failure(error: BaseException | None) -> CopyFailed | None:
    """Return the wrapper that knows side and reference."""
    while isinstance(error, PlanningFailed):
        error = error.cause
    return error if isinstance(error, CopyFailed) else None


def _side(error: Exception) -> Side | None:
    """Return which registry failed; what a plan asks for without saying is the source's."""
    failure = _copy_failure(error)
    if failure is not None:
        return failure.side
    return Side.SOURCE if isinstance(error, PlanningFailed) else None


def _end(error: Exception, task: Claimed) -> SnapshotEndpoint | None:
    """Return the registry that failed, as the execution knows it."""
    snapshot = PolicySnapshot.from_json(dict(task.snapshot))
    match _side(error):
        case Side.SOURCE:
            return snapshot.source
        case Side.DESTINATION:
            return snapshot.destination
        case None:
            return None


def _operation(error: Exception) -> str:
    if isinstance(error, CopyFailed | PlanningFailed | ExchangeError):
        return error.operation
    return ""


def _is_passing(cause: BaseException) -> bool:
    if isinstance(cause, UntrustedCertificate):
        return False
    return isinstance(cause, Unreachable | Unavailable | RateLimited | OSError)
