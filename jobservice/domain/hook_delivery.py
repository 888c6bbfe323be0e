"""A delivery: one message to one target of a hook, and how it fared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from jobservice.domain.task import TaskError, TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """One message to be carried to a target, which is named as it may be shown."""

    target_id: int
    target: str
    content_type: str
    payload: str


class DeliveryStatus(StrEnum):
    """Where a message is; it follows from the status of the task that carries it."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"

    @classmethod
    def of(cls, task: TaskStatus) -> DeliveryStatus:
        """Return the status that a task's status comes to."""
        if task is TaskStatus.SUCCEEDED:
            return cls.DELIVERED
        return cls.FAILED if task.is_final else cls.PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDelivery:
    """One row, with what its task says. `response_body` is the begin of the last answer."""

    id: int
    hook_id: int
    event_id: str
    event_type: str
    target: str
    content_type: str
    payload: str
    execution_id: int
    task_id: int
    is_repeat: bool
    task_status: TaskStatus
    error: TaskError | None
    attempts: int
    response_code: int | None
    response_body: str
    not_before: datetime | None
    created_at: datetime
    delivered_at: datetime | None

    @property
    def status(self) -> DeliveryStatus:
        """Where the message is."""
        return DeliveryStatus.of(self.task_status)
