"""What a plan writes: a page is one fenced transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from database.pool import Connection, Record
from jobservice.domain.execution import LeftOut
from jobservice.domain.task import Claimed, NewTask, TaskError, TaskStatus
from jobservice.errors import ExecutionStopped, LeaseLost
from jobservice.store import outcomes
from jobservice.store.executions import DISPATCH_CHANNEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A task that ended before it began: it could not be planned, or there is nothing to do."""

    task: NewTask
    error: TaskError | None = None
    result: Mapping[str, Any] | None = None

    @property
    def status(self) -> TaskStatus:
        """Failed with an error, succeeded without."""
        return TaskStatus.SUCCEEDED if self.error is None else TaskStatus.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPage:
    """Everything that one page of a listing comes to; `number` counts from 1 within the plan."""

    number: int
    tasks: Sequence[NewTask] = ()
    settled: Sequence[Settled] = ()
    left_out: Sequence[LeftOut] = ()
    checkpoint: Mapping[str, Any]


# The commit does not wait for the disk, for nobody is told that a page is written: after a crash
# the plan goes on from the page before. What makes its tasks leave Postgres, their dispatch, waits.
FENCED_CHECKPOINT = """
UPDATE jobservice.tasks AS task SET checkpoint = $4
FROM jobservice.executions AS execution
WHERE task.id = $1 AND task.delivery = $2 AND task.fence = $3 AND task.status = 'running'
  AND execution.id = task.execution_id
RETURNING execution.zone, execution.priority, now() AS moment,
          set_config('synchronous_commit', 'off', true)
"""

COUNT_NEW = f"""
UPDATE jobservice.executions
SET total = total + $2, failed = failed + $3, succeeded = succeeded + $4, unchanged = unchanged + $4
WHERE id = $1 AND stop_requested_at IS NULL
RETURNING id, CASE WHEN $2 > 0 THEN pg_notify('{DISPATCH_CHANNEL}', '') END
"""  # noqa: S608  constants of this module

NEW_COLUMNS = (
    "execution_id",
    "page",
    "ordinal",
    "zone",
    "priority",
    "job_type",
    "queue",
    "parameters",
    "unique_key",
    "status",
    "error",
    "result",
    "started_at",
    "ended_at",
)

# COPY writes all rows or none, so unique tasks are added one by one.
ADD_UNIQUE = f"""
INSERT INTO jobservice.tasks ({", ".join(NEW_COLUMNS)})
VALUES ({", ".join(f"${place}" for place in range(1, len(NEW_COLUMNS) + 1))})
ON CONFLICT (job_type, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('pending', 'queued', 'running', 'retrying')
    DO NOTHING
"""  # noqa: S608  constants of this module

ADDED = "SELECT ordinal FROM jobservice.tasks WHERE execution_id = $1 AND page = $2"

# Why a task was not planned: an unfinished one does the same.
REPEATED = "already_under_way"


async def write_page(connection: Connection, plan: Claimed, page: PlanPage) -> None:
    """Add a page's tasks, its failures, what it left out, and where the plan goes on.

    To be called in a transaction. Raise LeaseLost or ExecutionStopped; then nothing is written.
    """
    key = (plan.id, plan.delivery, plan.fence)
    held: Any = await connection.fetchrow(FENCED_CHECKPOINT, *key, page.checkpoint)
    if held is None:
        raise LeaseLost(plan.id)
    rows = list(_rows(plan, page, held))
    repeated = await _add(connection, plan, page, rows)
    await outcomes.add(connection, plan.execution_id, [*page.left_out, *repeated])
    failed = sum(settled.error is not None for settled in page.settled)
    unchanged = len(page.settled) - failed
    added = len(rows) - len(repeated)
    counted = await connection.fetchval(COUNT_NEW, plan.execution_id, added, failed, unchanged)
    if counted is None:
        raise ExecutionStopped(plan.execution_id)


async def _add(
    connection: Connection, plan: Claimed, page: PlanPage, rows: Sequence[tuple[Any, ...]]
) -> list[LeftOut]:
    """Add rows; return those that were not, because an unfinished task has their unique key."""
    if not rows:
        return []
    if all(task.unique_key is None for task in page.tasks):
        await connection.copy_records_to_table(
            "tasks", schema_name="jobservice", columns=NEW_COLUMNS, records=rows
        )
        return []
    await connection.executemany(ADD_UNIQUE, rows)
    found = await connection.fetch(ADDED, plan.execution_id, page.number)
    added = {row["ordinal"] for row in found}
    return [
        LeftOut(reason=REPEATED, subject=f"{task.job_type} {task.unique_key}")
        for ordinal, task in enumerate(page.tasks, start=1)
        if ordinal not in added
    ]


def _rows(plan: Claimed, page: PlanPage, held: Record) -> Iterator[tuple[Any, ...]]:
    """Yield what is written for a page, in the order of NEW_COLUMNS: its tasks, then the settled.

    What is settled needs no unique key: it hinders nobody.
    """
    zone, priority, moment = held["zone"], held["priority"], held["moment"]

    def row(ordinal: int, task: NewTask, unique_key: str | None, *ending: Any) -> tuple[Any, ...]:
        return (
            plan.execution_id,
            page.number,
            ordinal,
            zone if task.zone is None else task.zone,
            priority if task.priority is None else task.priority,
            task.job_type,
            task.queue,
            task.parameters,
            unique_key,
            *ending,
        )

    unended = (TaskStatus.PENDING, None, None, None, None)
    for ordinal, task in enumerate(page.tasks, start=1):
        yield row(ordinal, task, task.unique_key, *unended)
    for ordinal, settled in enumerate(page.settled, start=len(page.tasks) + 1):
        error = settled.error.to_json() if settled.error else None
        yield row(
            ordinal, settled.task, None, settled.status, error, settled.result, moment, moment
        )
