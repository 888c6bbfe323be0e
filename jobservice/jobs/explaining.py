"""What a failure at a registry means for the task: another try, a pause, or the end."""

from __future__ import annotations

from typing import Final

from jobservice.domain.task import TaskError
from jobservice.jobs.base import Failed, Snoozed
from jobservice.logging import redact_text
from protocol.errors import (
    ExchangeError,
    RateLimited,
    Unavailable,
    Unreachable,
    UntrustedCertificate,
)
from replication.errors import CopyFailed, PlanningFailed

_DEFAULT_PAUSE_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 3600.0


def explain(error: Exception) -> Failed | Snoozed:
    """Return the answer to what a plan or a transfer raised."""
    cause = _cause(error)
    facts = error_of(error)
    if isinstance(cause, RateLimited):
        asked = cause.retry_after_seconds or _DEFAULT_PAUSE_SECONDS
        return Snoozed(delay_seconds=min(asked, _LONGEST_PAUSE_SECONDS), reason=facts)
    return Failed(error=facts)


def error_of(error: Exception) -> TaskError:
    """Return what a task keeps of an error."""
    cause = _cause(error)
    return TaskError(
        message=redact_text(str(error)),
        kind=type(cause).__name__,
        operation=_operation(error),
        side=str(error.side) if isinstance(error, CopyFailed) else "",
        reference=error.reference if isinstance(error, CopyFailed) else "",
        retryable=_is_passing(cause),
    )


def _cause(error: BaseException) -> BaseException:
    """Return what lies at the bottom of our own wrappers."""
    while isinstance(error, CopyFailed | PlanningFailed) and error.cause is not None:
        error = error.cause
    return error


def _operation(error: Exception) -> str:
    if isinstance(error, CopyFailed | PlanningFailed | ExchangeError):
        return error.operation
    return ""


def _is_passing(cause: BaseException) -> bool:
    if isinstance(cause, UntrustedCertificate):
        return False
    return isinstance(cause, Unreachable | Unavailable | RateLimited | OSError)
