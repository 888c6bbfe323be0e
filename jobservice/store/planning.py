"""What a plan writes: a page is one fenced transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import orjson

from database.pool import Connection
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
UPDATE jobservice.tasks SET checkpoint = $4
WHERE id = $1 AND delivery = $2 AND fence = $3 AND status = 'running'
RETURNING id, set_config('synchronous_commit', 'off', true)
"""

COUNT_NEW = f"""
UPDATE jobservice.executions
SET total = total + $2, failed = failed + $3, succeeded = succeeded + $4, unchanged = unchanged + $4
WHERE id = $1 AND stop_requested_at IS NULL
RETURNING id, CASE WHEN $2 > 0 THEN pg_notify('{DISPATCH_CHANNEL}', '') END
"""  # noqa: S608  constants of this module

ADD_TASKS = """
INSERT INTO jobservice.tasks
    (execution_id, page, ordinal, job_type, queue, zone, priority, parameters, status, error,
     result, started_at, ended_at, unique_key)
SELECT $1, $2, new.ordinality, new.job_type, new.queue, coalesce(new.zone, execution.zone),
       coalesce(new.priority, execution.priority), new.parameters::jsonb,
       coalesce(new.final_status, 'pending'), new.error::jsonb, new.result::jsonb,
       CASE WHEN new.final_status IS NOT NULL THEN now() END,
       CASE WHEN new.final_status IS NOT NULL THEN now() END, new.unique_key
FROM unnest($3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[])
     WITH ORDINALITY AS new (job_type, queue, zone, priority, parameters, final_status, error,
                             result, unique_key, ordinality),
     jobservice.executions AS execution
WHERE execution.id = $1
"""

# Costs every row a look before it is written, so only pages with unique tasks are added like this.
ADD_UNIQUE_TASKS = f"""{ADD_TASKS}
ON CONFLICT (job_type, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('pending', 'queued', 'running', 'retrying')
    DO NOTHING
"""

ADDED = "SELECT ordinal FROM jobservice.tasks WHERE execution_id = $1 AND page = $2"

# Why a task was not planned: an unfinished one does the same.
REPEATED = "already_under_way"


async def write_page(connection: Connection, plan: Claimed, page: PlanPage) -> None:
    """Add a page's tasks, its failures, what it left out, and where the plan goes on.

    To be called in a transaction. Raise LeaseLost or ExecutionStopped; then nothing is written.
    """
    key = (plan.id, plan.delivery, plan.fence)
    if await connection.fetchval(FENCED_CHECKPOINT, *key, dict(page.checkpoint)) is None:
        raise LeaseLost(plan.id)
    planned = [_Row(task) for task in page.tasks]
    rows = [*planned, *(_Row.of(settled) for settled in page.settled)]
    repeated = await _add(connection, plan, page.number, rows)
    await outcomes.add(connection, plan.execution_id, [*page.left_out, *repeated])
    failed = sum(settled.error is not None for settled in page.settled)
    unchanged = len(page.settled) - failed
    added = len(rows) - len(repeated)
    counted = await connection.fetchval(COUNT_NEW, plan.execution_id, added, failed, unchanged)
    if counted is None:
        raise ExecutionStopped(plan.execution_id)


async def _add(
    connection: Connection, plan: Claimed, number: int, rows: Sequence[_Row]
) -> list[LeftOut]:
    """Add rows; return those that were not, because an unfinished task has their unique key."""
    if not rows:
        return []
    columns = _columns(rows)
    statement = ADD_TASKS if columns[-1] is None else ADD_UNIQUE_TASKS
    tag = await connection.execute(statement, plan.execution_id, number, *columns)
    if int(tag.rpartition(" ")[2]) == len(rows):
        return []
    added = {row["ordinal"] for row in await connection.fetch(ADDED, plan.execution_id, number)}
    return [
        LeftOut(reason=REPEATED, subject=f"{row.task.job_type} {row.task.unique_key}")
        for ordinal, row in enumerate(rows, start=1)
        if ordinal not in added
    ]


class _Row(NamedTuple):
    task: NewTask
    final_status: TaskStatus | None = None
    error: Mapping[str, Any] | None = None
    result: Mapping[str, Any] | None = None

    @property
    def unique_key(self) -> str | None:
        """What is final already hinders nobody."""
        return self.task.unique_key if self.final_status is None else None

    @classmethod
    def of(cls, settled: Settled) -> Self:
        error = settled.error.to_json() if settled.error else None
        return cls(settled.task, settled.status, error, settled.result)


def _columns(rows: Sequence[_Row]) -> tuple[list[Any] | None, ...]:
    return (
        [row.task.job_type for row in rows],
        [row.task.queue for row in rows],
        _or_null([row.task.zone for row in rows]),
        _or_null([row.task.priority for row in rows]),
        [_json(row.task.parameters) for row in rows],
        _or_null([row.final_status for row in rows]),
        _or_null([_json(row.error) for row in rows]),
        _or_null([_json(row.result) for row in rows]),
        _or_null([row.unique_key for row in rows]),
    )


def _or_null(column: list[Any]) -> list[Any] | None:
    """Return None for a column without a value: unnest fills up, and nothing is encoded."""
    return column if any(value is not None for value in column) else None


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else orjson.dumps(value, default=dict).decode()
