"""What a task went through, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from database.pool import Database
from jobservice.domain.happening import Transition
from jobservice.domain.task import TaskStatus
from jobservice.errors import NotFound
from jobservice.store import tasks, transitions

LIMIT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When a task was made and as what, and its transitions: the newest LIMIT, the oldest first.

    What its plan settled was never pending.
    """

    created_at: datetime
    first: TaskStatus
    steps: tuple[Transition, ...]


async def of_task(database: Database, task_id: int) -> Timeline:
    """Return the timeline of a task, a plan or a transfer; raise NotFound."""
    async with database.connection() as connection:
        task = await tasks.begun(connection, task_id)
        if task is None:
            raise NotFound("task", task_id)
        created_at, status = task
        steps = await transitions.timeline(connection, task_id, limit=LIMIT)
    first = TaskStatus(steps[0].was) if steps else status
    return Timeline(created_at=created_at, first=first, steps=steps)


async def want(database: Database, task_id: int) -> None:
    """Raise NotFound unless there is such a task."""
    async with database.connection() as connection:
        if await tasks.status(connection, task_id) is None:
            raise NotFound("task", task_id)
