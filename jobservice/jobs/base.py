"""The contract of a job type: a name, typed parameters, a queue, a retry rule, a limit, `run`.

Every task may run twice: what `run` does must be harmless when it was done before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias

from jobservice.domain.redaction import redact_text
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed, Progress, TaskError


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeeded:
    """The job is done. `unchanged`: there was nothing to do."""

    result: Mapping[str, Any] = field(default_factory=dict)
    unchanged: bool = False
    status_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The job failed; another try may follow if the error is retryable."""

    error: TaskError


@dataclass(frozen=True, slots=True, kw_only=True)
class Snoozed:
    """The job cannot run now; it waits without spending an attempt.

    With `endpoint_id` a registry asked for the pause: every task that talks to it waits too;
    `registry` is its name.
    """

    delay_seconds: float
    reason: TaskError | None = None
    endpoint_id: int | None = None
    registry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """The job ended because somebody asked for it."""


Answer: TypeAlias = Succeeded | Failed | Snoozed | Stopped


class Run(Protocol):
    """One try of a task, as the job sees it."""

    @property
    def task(self) -> Claimed:
        """What was claimed: parameters, snapshot, checkpoint, attempt."""
        ...

    @property
    def progress(self) -> Progress:
        """How far the task is; set it as often as you like."""
        ...

    @progress.setter
    def progress(self, value: Progress) -> None: ...

    def note(self, event: str, **facts: object) -> None:
        """Add a line to the task's log alone, not to the process's."""
        ...

    def show(self, text: str) -> None:
        """Add a line to the task's log as it is: no time, no level."""
        ...

    async def confirm(self) -> None:
        """Return if the task is surely still ours; await it before every visible write.

        Raise LeaseLost otherwise: then nothing may be written. What goes out by HTTP is sent inside
        `protocol.fence.fenced(run.confirm)`, which asks after every wait on the way.
        """
        ...


class JobType(ABC):
    """The code for a task. One instance serves all tasks of its type in a process.

    `concurrency` is how many of its tasks run at once over all workers; None: as many as there
    are slots.
    """

    name: ClassVar[str]
    queue: ClassVar[str]
    retry: ClassVar[RetryRule] = RetryRule()
    timeout_seconds: ClassVar[float] = 24 * 3600.0
    concurrency: ClassVar[int | None] = None

    @abstractmethod
    async def run(self, run: Run) -> Answer:
        """Do the work. What it raises is handed to `explain`."""

    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Turn what `run` raised for a task into an answer."""
        del task
        return Failed(error=TaskError(message=redact_text(str(error)), kind=type(error).__name__))

    async def close(self) -> None:
        """Give back what the job type keeps for all its tasks."""
        return
