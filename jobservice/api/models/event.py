"""What happens, as it is told live and afterwards; all of it Transship's own."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from jobservice.api.models.base import Id, OwnModel, OwnQuery


class EventQuery(OwnQuery):
    """GET /events. `type` is a list of topics, separated by commas."""

    type: Annotated[str, Field(max_length=100)] = "execution,task,queue"
    execution_id: Id | None = None


class TaskById(OwnQuery):
    """A path with a task's id."""

    task_id: Id


class LogQuery(OwnQuery):
    """GET /tasks/{task_id}/log. With `follow` the answer goes on as server-sent events."""

    follow: bool = False
    contains: Annotated[str, Field(max_length=1000)] | None = None


class Transition(OwnModel):
    """One step of a task's life; the first is its creation, which has no `was`."""

    occurred_at: datetime
    was: str | None = None
    becomes: str
    delivery: int
    attempt: int
    fence: int
    worker_id: int | None = None
    worker: str | None = None
    reason: str | None = None
