"""What a failure at a registry means for the task: another try, a pause, or the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from jobservice.domain.policy import PolicySnapshot
from jobservice.domain.task import TaskError
from jobservice.errors import JobserviceError
from jobservice.jobs.base import Failed, Snoozed
from jobservice.logging import redact_text
from protocol.errors import (
    ExchangeError,
    RateLimited,
    Unavailable,
    Unreachable,
    UntrustedCertificate,
)
from protocol.retrying import Patience
from replication.errors import CopyFailed, PlanningFailed, Side

_DEFAULT_PAUSE_SECONDS: Final = 30.0
_LONGEST_PAUSE_SECONDS: Final = 3600.0


def explain(error: Exception) -> Failed | Snoozed:
    """Return the answer to what a plan or a transfer raised."""
    if isinstance(error, RegistryBusy):
        return Snoozed(
            delay_seconds=error.seconds, reason=error.facts, endpoint_id=error.endpoint_id
        )
    return Failed(error=error_of(error))


class RegistryBusy(JobserviceError):
    """A registry asked for more patience than a task has: everything that talks to it waits."""

    def __init__(self, *, endpoint_id: int, seconds: float, facts: TaskError) -> None:
        super().__init__(facts.message)
        self.endpoint_id = endpoint_id
        self.seconds = seconds
        self.facts = facts


@contextmanager
def naming_the_busy(snapshot: PolicySnapshot) -> Iterator[None]:
    """Turn a registry's wish to be left alone into RegistryBusy, which says whose it is."""
    try:
        yield
    except (CopyFailed, PlanningFailed, RateLimited, Unavailable) as error:
        seconds = _asked_for(_cause(error))
        if seconds is None:
            raise
        end = snapshot.destination if _is_at_destination(error) else snapshot.source
        raise RegistryBusy(
            endpoint_id=end.endpoint_id,
            seconds=min(seconds, _LONGEST_PAUSE_SECONDS),
            facts=error_of(error),
        ) from error


def _is_at_destination(error: Exception) -> bool:
    return isinstance(error, CopyFailed) and error.side is Side.DESTINATION


def _asked_for(cause: BaseException) -> float | None:
    """Return the pause that was asked for, where it outlasts the patience of one request."""
    if isinstance(cause, RateLimited):
        return cause.retry_after_seconds or _DEFAULT_PAUSE_SECONDS
    if isinstance(cause, Unavailable) and cause.retry_after_seconds is not None:
        longest = Patience().longest_wait_seconds
        return cause.retry_after_seconds if cause.retry_after_seconds > longest else None
    return None


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
