"""Every error of this floor, as one tree.

ReplicationError
├── UnknownDestination           a destination repository cannot be named: repository
│   ├── RepositoryTooShallow     fewer leading components than flattening replaces
│   └── InvalidDestination       the name breaks the grammar, or the kind wants more components
├── UnsupportedFilter            a kind of filter that this source cannot answer
├── PlanningFailed               the plan cannot go on at all: operation, cause
└── CopyFailed                   one artifact was not copied: side, operation, reference, cause

What a registry said is always the `cause`, so that a caller can tell a rate limit from a refusal.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from protocol.errors import ProtocolError


class Side(StrEnum):
    """Which of the two registries an operation went to."""

    SOURCE = "source"
    DESTINATION = "destination"


class ReplicationError(Exception):
    """The root: catch it to say that deciding or copying failed."""


class UnknownDestination(ReplicationError):
    """No destination repository follows from a source repository; that repository fails alone."""

    def __init__(self, message: str, *, repository: str) -> None:
        super().__init__(message)
        self.repository = repository


class RepositoryTooShallow(UnknownDestination):
    """Flattening replaces more components than the repository has in front of its last."""

    def __init__(self, *, repository: str, flattening: int) -> None:
        available = repository.count("/")
        super().__init__(
            f"{repository} has only {available} components in front of its last, and flattening"
            f" replaces {flattening}: choose at most {available}, or leave it out by a filter",
            repository=repository,
        )
        self.flattening = flattening


class InvalidDestination(UnknownDestination):
    """What came out is no repository name, or not one that the destination takes."""


class UnsupportedFilter(ReplicationError):
    """A filter that nothing at this source can be compared with; the plan is refused."""


class PlanningFailed(ReplicationError):
    """The listing that everything hangs on failed; nothing after the last page was planned."""

    def __init__(self, *, operation: str, cause: Exception) -> None:
        super().__init__(f"{operation} at the source failed: {cause}")
        self.operation = operation
        self.cause = cause


class CopyFailed(ReplicationError):
    """One artifact did not arrive; no tag of it was written at the destination."""

    def __init__(
        self, *, side: Side, operation: str, reference: str, cause: Exception | str
    ) -> None:
        super().__init__(f"{operation} {reference} at the {side} failed: {cause}")
        self.side = side
        self.operation = operation
        self.reference = reference
        self.cause = cause if isinstance(cause, Exception) else None


@contextmanager
def failing(side: Side, operation: str, reference: str) -> Iterator[None]:
    """Turn what goes wrong inside into a CopyFailed that says where and with what."""
    try:
        yield
    except (ProtocolError, OSError) as error:
        raise CopyFailed(
            side=side, operation=operation, reference=reference, cause=error
        ) from error
