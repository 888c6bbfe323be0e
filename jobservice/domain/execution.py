"""An execution: one run of a policy, as it is asked for and as it is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from jobservice.domain import pace
from jobservice.domain.listing import AnyOf, Condition
from jobservice.domain.policy import TriggerKind
from jobservice.domain.task import WAITING, TaskStatus


class ExecutionStatus(StrEnum):
    """The roll-up of an execution's tasks; the schema computes it from the counters."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """What starts an execution. Its first task is the plan, of type `job_type`.

    The run follows `snapshot` alone, which holds no secrets. With `single_active` it is refused
    while another such execution of the policy is unfinished. The plan runs in `plan_zone`, the rest
    in `zone`. `endpoint_ids` are the registries that tasks talk to, `destination_id` the one they
    write to: limits and pauses are theirs. `vendor_id` is what it belongs to where that is no
    replication policy.
    """

    vendor_type: str
    job_type: str
    policy_id: int | None
    trigger: TriggerKind
    snapshot: Mapping[str, Any]
    single_active: bool = False
    project_id: int | None = None
    zone: str | None = None
    plan_zone: str | None = None
    endpoint_ids: tuple[int, ...] = ()
    destination_id: int | None = None
    priority: int = 0
    started_by: str = ""
    vendor_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One row. `unchanged` counts the succeeded tasks that found nothing to do."""

    id: int
    vendor_type: str
    policy_id: int | None
    trigger: TriggerKind
    status: ExecutionStatus
    status_text: str
    total: int
    succeeded: int
    failed: int
    stopped: int
    unchanged: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    stop_requested_at: datetime | None
    plan_ended: bool = False
    vendor_id: int | None = None

    @property
    def in_progress(self) -> int:
        """How many tasks have not ended."""
        return self.total - self.succeeded - self.failed - self.stopped

    def matching(self, conditions: tuple[Condition, ...], *, running: int) -> int | None:
        """Return how many tasks match where the counters tell; None where they do not."""
        counters = {
            frozenset({TaskStatus.SUCCEEDED}): self.succeeded,
            frozenset({TaskStatus.FAILED}): self.failed,
            frozenset({TaskStatus.STOPPED}): self.stopped,
            frozenset({TaskStatus.RUNNING}): running,
            frozenset(WAITING): self.in_progress - running,
        }
        match conditions:
            case (AnyOf(field="status", values=values),):
                return counters.get(frozenset(TaskStatus(str(value)) for value in values))
            case _:
                return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What an execution's ended tasks took, its plan included. Bytes are those of blobs."""

    bytes_copied: int
    bytes_saved: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the running tasks of an execution have done so far, added up."""

    running: int
    bytes_done: int
    bytes_total: int
    is_total_known: bool
    bytes_per_second: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How far an execution is: bytes that ended and running tasks moved, of how many, how fast."""

    bytes_done: int
    bytes_total: int | None
    bytes_per_second: int | None
    seconds_left: int | None

    @classmethod
    def of(cls, execution: Execution, effort: Effort, running: Running) -> Self:
        """Add up. A total is known once the plan has ended and no task waits to begin."""
        done = effort.bytes_copied + running.bytes_done
        is_known = (
            execution.plan_ended
            and execution.in_progress == running.running
            and running.is_total_known
        )
        total = effort.bytes_copied + running.bytes_total if is_known else None
        rate = running.bytes_per_second
        return cls(
            bytes_done=done,
            bytes_total=total,
            bytes_per_second=rate,
            seconds_left=pace.seconds_left(done, total, rate),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of an execution beyond its counters."""

    effort: Effort
    pace: Pace
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """Something that an execution did not do."""

    reason: str
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Why something was left out, how often, and the first examples as (subject, detail)."""

    reason: str
    count: int
    examples: tuple[tuple[str, str], ...]
