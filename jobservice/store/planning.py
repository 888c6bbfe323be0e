"""What a plan writes: a page is one fenced transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from database.pool import Connection
from jobservice.domain.execution import LeftOut
from jobservice.domain.task import Claimed, NewTask, TaskError
from jobservice.errors import ExecutionStopped, LeaseLost
from jobservice.store import outcomes
from jobservice.store.executions import DISPATCH_CHANNEL


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPage:
    """Everything that one page of a listing comes to; `number` counts from 1 within the plan."""

    number: int
    tasks: Sequence[NewTask] = ()
    failures: Sequence[tuple[NewTask, TaskError]] = ()
    left_out: Sequence[LeftOut] = ()
    checkpoint: Mapping[str, Any]


FENCED_CHECKPOINT = """
UPDATE jobservice.tasks SET checkpoint = $4
WHERE id = $1 AND delivery = $2 AND fence = $3 AND status = 'running'
RETURNING id
"""

COUNT_NEW = f"""
UPDATE jobservice.executions SET total = total + $2, failed = failed + $3
WHERE id = $1 AND stop_requested_at IS NULL
RETURNING id, CASE WHEN $2 > 0 THEN pg_notify('{DISPATCH_CHANNEL}', '') END
"""  # noqa: S608  constants of this module

ADD_TASKS = """
INSERT INTO jobservice.tasks
    (execution_id, page, ordinal, job_type, queue, zone, priority, parameters, error, status,
     started_at, ended_at)
SELECT $1, $2, ordinality, job_type, queue, zone, priority, parameters::jsonb, error::jsonb,
       CASE WHEN error IS NULL THEN 'pending' ELSE 'failed' END,
       CASE WHEN error IS NOT NULL THEN now() END,
       CASE WHEN error IS NOT NULL THEN now() END
FROM unnest($3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[])
     WITH ORDINALITY AS new (job_type, queue, zone, priority, parameters, error, ordinality)
"""


async def write_page(connection: Connection, plan: Claimed, page: PlanPage) -> None:
    """Add a page's tasks, its failures, what it left out, and where the plan goes on.

    To be called in a transaction. Raise LeaseLost or ExecutionStopped; then nothing is written.
    """
    key = (plan.id, plan.delivery, plan.fence)
    if await connection.fetchval(FENCED_CHECKPOINT, *key, dict(page.checkpoint)) is None:
        raise LeaseLost(plan.id)
    rows: list[tuple[NewTask, TaskError | None]] = [(task, None) for task in page.tasks]
    rows += page.failures
    if rows:
        await connection.execute(ADD_TASKS, plan.execution_id, page.number, *_columns(rows))
    await outcomes.add(connection, plan.execution_id, page.left_out)
    counted = await connection.fetchval(COUNT_NEW, plan.execution_id, len(rows), len(page.failures))
    if counted is None:
        raise ExecutionStopped(plan.execution_id)


def _columns(rows: Sequence[tuple[NewTask, TaskError | None]]) -> tuple[list[Any], ...]:
    return (
        [task.job_type for task, _ in rows],
        [task.queue for task, _ in rows],
        [task.zone for task, _ in rows],
        [task.priority for task, _ in rows],
        [orjson.dumps(dict(task.parameters)).decode() for task, _ in rows],
        [orjson.dumps(error.to_json()).decode() if error else None for _, error in rows],
    )
