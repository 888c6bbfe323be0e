"""Tasks of all executions, pauses and workers: what Harbor does not have."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from jobservice.api.models.base import Id, LinkedPaging, OwnModel
from jobservice.api.models.replication import TransshipTaskError
from jobservice.domain.explaining import Code
from jobservice.domain.pause import PauseScope
from jobservice.domain.task import TaskStatus


class TaskQuery(LinkedPaging):
    """GET /tasks."""

    model_config = ConfigDict(extra="forbid")

    q: str | None = None
    sort: str | None = None
    status: TaskStatus | None = None
    job_type: str | None = None
    policy_id: Id | None = None
    execution_id: Id | None = None
    worker_id: Id | None = None


class OneTask(OwnModel):
    """A task, whatever it does."""

    id: int
    execution_id: int
    job_type: str
    status: TaskStatus
    reason: str
    attempt: int
    rescues: int
    parameters: dict[str, Any]
    result: dict[str, Any] | None = None
    error: TransshipTaskError | None = None
    worker_id: int | None = None
    not_before: datetime | None = None
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


class ExplainedWhy(OwnModel):
    """One thing that explains where a task is."""

    code: Code
    message: str


class StopOutcome(OwnModel):
    """What a stop came to: tasks that ended at once, and those told to end within two seconds."""

    stopped: int
    told: int


class RetryOutcome(OwnModel):
    """What a retry came to; refused tasks stay as they are, and why."""

    retried: int
    refused: int
    reasons: list[str]


class StopWish(OwnModel):
    """Which tasks to stop: of this type, those that wait and, unless told otherwise, that run."""

    job_type: Annotated[str, Field(min_length=1)]
    running: bool = True


class RetryWish(OwnModel):
    """Which tasks to retry: all that match; failed ones unless `status` says stopped."""

    status: Annotated[str, Field(pattern="^(failed|stopped)$")] = "failed"
    job_type: str | None = None
    policy_id: Id | None = None
    execution_id: Id | None = None


class PauseWish(OwnModel):
    """What to hold back, and why. `key` is a job type, a policy's id or a registry's id."""

    scope: Annotated[PauseScope, Field(strict=False)]
    key: str = ""
    comment: str = ""


class PauseShown(OwnModel):
    """What is held back, by whom, since when and why. `name` is what people call it."""

    scope: PauseScope
    key: str
    name: str
    paused_by: str
    paused_at: datetime
    comment: str


class PausePath(BaseModel):
    """A pause of a scope that has no key."""

    scope: PauseScope


class KeyedPausePath(PausePath):
    """A pause of one of several."""

    key: str
