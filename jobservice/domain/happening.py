"""What followers are told: transitions of tasks, executions and queues as they are by now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from typing_extensions import override

LIMIT = 2**63


class Topic(StrEnum):
    """What a happening is about."""

    EXECUTION = "execution"
    TASK = "task"
    QUEUE = "queue"
    LOG = "log"
    # Something was missed that cannot be told any more.
    GAP = "gap"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """How far a follower has read: everything up to the transaction's event of this id."""

    xact: int
    id: int = 0

    @override
    def __str__(self) -> str:
        return f"{self.xact}.{self.id}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Read what str() wrote; None for anything else."""
        found = re.fullmatch(r"([0-9]{1,19})\.([0-9]{1,19})", text, re.ASCII)
        if found is None or max(int(found[1]), int(found[2])) >= LIMIT:
            return None
        return cls(xact=int(found[1]), id=int(found[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of a task's timeline. A worker is named where the task ran before or runs now."""

    place: Place
    task_id: int
    execution_id: int
    job_type: str
    was: str
    becomes: str
    occurred_at: datetime
    delivery: int
    attempt: int
    fence: int
    worker_id: int | None
    worker: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing to tell. `place` is where a follower may go on from, None for what is of now."""

    topic: Topic
    data: Mapping[str, Any]
    place: Place | None = None
    execution_id: int | None = None
    task_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody listens to."""

    topics: frozenset[Topic]
    execution_id: int | None = None

    def takes(self, happening: Happening) -> bool:
        """Say whether this is to be told."""
        return happening.topic in self.topics and (
            self.execution_id is None or happening.execution_id == self.execution_id
        )
