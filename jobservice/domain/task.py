"""A task's life: its states, which may follow which, and what a task is to those who ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

RESCUE_LIMIT = 10


class TaskStatus(StrEnum):
    """Where a task is."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        """Whether the task has ended, unless an operator lets it try again."""
        return self in FINAL

    def may_become(self, status: TaskStatus) -> bool:
        """Say whether `status` may follow; the schema refuses everything else too."""
        return status in NEXT[self]


NEXT: Mapping[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.PENDING: frozenset({TaskStatus.QUEUED, TaskStatus.STOPPED}),
    # Back to pending: Redis lost it.
    TaskStatus.QUEUED: frozenset({TaskStatus.RUNNING, TaskStatus.PENDING, TaskStatus.STOPPED}),
    # Back to pending: its worker died (a rescue), or it could not run yet (a snooze).
    TaskStatus.RUNNING: frozenset(
        {
            TaskStatus.SUCCEEDED,
            TaskStatus.FAILED,
            TaskStatus.STOPPED,
            TaskStatus.RETRYING,
            TaskStatus.PENDING,
        }
    ),
    TaskStatus.RETRYING: frozenset({TaskStatus.PENDING, TaskStatus.STOPPED}),
    TaskStatus.SUCCEEDED: frozenset(),
    # An operator lets it try again.
    TaskStatus.FAILED: frozenset({TaskStatus.PENDING}),
    TaskStatus.STOPPED: frozenset({TaskStatus.PENDING}),
}


WAITING = frozenset({TaskStatus.PENDING, TaskStatus.QUEUED, TaskStatus.RETRYING})
FINAL = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.STOPPED})


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError:
    """Why a task failed: the sentence for people, and its facts where the failure has them."""

    message: str
    kind: str
    operation: str = ""
    side: str = ""
    reference: str = ""
    retryable: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that the task row keeps."""
        return {
            "message": self.message,
            "kind": self.kind,
            "operation": self.operation,
            "side": self.side,
            "reference": self.reference,
            "retryable": self.retryable,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a running task is; a total is None while nobody knows it."""

    bytes_done: int = 0
    bytes_total: int | None = None
    items_done: int = 0
    items_total: int | None = None
    bytes_per_second: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One row, as lists and details show it. Plan tasks are never shown.

    `checkpoint` is how far a task came that works in pages.
    """

    id: int
    execution_id: int
    job_type: str
    status: TaskStatus
    parameters: Mapping[str, Any]
    attempt: int
    rescues: int
    reason: str
    error: TaskError | None
    result: Mapping[str, Any] | None
    progress: Progress | None
    not_before: datetime | None
    worker_id: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    checkpoint: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task that a plan adds to its execution; zone and priority are the execution's if None.

    While an unfinished task of the type has the same `unique_key`, no second one is added.
    """

    job_type: str
    queue: str
    parameters: Mapping[str, Any]
    zone: str | None = None
    priority: int | None = None
    unique_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A task that this worker holds under `fence`, and everything its job needs to start."""

    id: int
    execution_id: int
    job_type: str
    is_plan: bool
    parameters: Mapping[str, Any]
    snapshot: Mapping[str, Any]
    checkpoint: Mapping[str, Any] | None
    delivery: int
    attempt: int
    fence: int
    stop_requested: bool
