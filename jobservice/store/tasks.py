"""The table jobservice.tasks, to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from database.pool import Connection
from jobservice.domain.listing import AnyOf, Condition, Equals, Listing, Rows
from jobservice.domain.task import Progress, Task, TaskError, TaskStatus
from jobservice.store import listing as listing_sql

COLUMNS = {
    "id": "task.id",
    "execution_id": "task.execution_id",
    "is_plan": "task.is_plan",
    "job_type": "task.job_type",
    "status": "task.status",
    "attempt": "task.attempt",
    "start_time": "coalesce(task.started_at, task.created_at)",
    "end_time": "task.ended_at",
}
ALL_COLUMNS = COLUMNS | {
    "worker_id": "task.worker_id",
    "policy_id": (
        "(SELECT policy_id FROM jobservice.executions WHERE executions.id = task.execution_id)"
    ),
}

SELECT = """
SELECT task.id, task.execution_id, task.job_type, task.status, task.parameters, task.attempt,
       task.rescues, task.reason, task.error, task.result, task.checkpoint, task.not_before,
       task.worker_id, task.created_at, task.started_at, task.ended_at,
       progress.bytes_done, progress.bytes_total, progress.items_done, progress.items_total,
       CASE WHEN progress.updated_at > clock_timestamp() - interval '5 seconds'
            THEN progress.bytes_per_second END AS bytes_per_second
FROM jobservice.tasks AS task
LEFT JOIN jobservice.task_progress AS progress ON progress.task_id = task.id
"""

EVERY_STATUS = AnyOf(field="status", values=tuple(TaskStatus))
UNENDED = frozenset(status.value for status in TaskStatus if not status.is_final)

TABLE = listing_sql.Table(
    select=SELECT,
    source="jobservice.tasks AS task",
    columns=COLUMNS,
    sorts={"end_time": f"coalesce(task.ended_at, {listing_sql.FAR})"},
    split=frozenset({"status"}),
    absent={"end_time": listing_sql.Absent(field="status", values=UNENDED)},
)


async def page(
    connection: Connection, execution_id: int, listing: Listing, *, total: int | None = None
) -> Rows[Task]:
    """Return one page of an execution's tasks, its plan left out; fields as in COLUMNS.

    The indexes have them by status and then by id, by start and by end: without a status those of
    every status are merged. `total` is how many there are, where somebody knows.
    """
    scope = (
        Equals(field="execution_id", value=execution_id),
        Equals(field="is_plan", value=False),
    )
    conditions = _with_status(listing.conditions)
    scoped = replace(listing, conditions=(*scope, *conditions))
    return await listing_sql.page(connection, TABLE, scoped, _task, total=total)


INDEXED = frozenset({"id", "execution_id", "job_type", "status"})
ALL_TABLE = replace(
    TABLE,
    columns=ALL_COLUMNS,
    split=frozenset({"job_type", "status", "worker_id"}),
    endless=True,
    indexed=INDEXED,
)

# One step down the index for each type, of which there are few.
JOB_TYPES = """
WITH RECURSIVE known AS (
    (SELECT job_type FROM jobservice.tasks ORDER BY job_type LIMIT 1)
    UNION ALL
    SELECT (SELECT job_type FROM jobservice.tasks WHERE job_type > known.job_type
            ORDER BY job_type LIMIT 1)
    FROM known WHERE known.job_type IS NOT NULL
)
SELECT job_type FROM known WHERE job_type IS NOT NULL
"""


async def page_of_all(connection: Connection, listing: Listing) -> Rows[Task]:
    """Return one page of all tasks, plans too; fields as in ALL_COLUMNS.

    Indexes have tasks by type, by execution and by worker, each by status and id: without a status
    those of every status are merged; a status alone is that of every type. Of a worker's tasks of
    one type, and of a range of workers, only the newest are looked at.
    """
    fields = {one.field for one in listing.conditions if isinstance(one, Equals | AnyOf)}
    conditions, table = listing.conditions, ALL_TABLE
    if fields & {"execution_id", "job_type", "worker_id"}:
        conditions = _with_status(conditions)
    elif "status" in fields:
        types = [row["job_type"] for row in await connection.fetch(JOB_TYPES)]
        conditions = (*conditions, AnyOf(field="job_type", values=tuple(types)))
    if "worker_id" in fields and not fields & {"execution_id", "job_type"}:
        table = replace(table, indexed=INDEXED | {"worker_id"})
    return await listing_sql.page(connection, table, replace(listing, conditions=conditions), _task)


def _with_status(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    named = any(condition.field == "status" for condition in conditions)
    return conditions if named else (*conditions, EVERY_STATUS)


FIND = SELECT + "WHERE task.id = $1"


async def find(connection: Connection, task_id: int) -> Task | None:
    """Return a task of whatever execution."""
    row = await connection.fetchrow(FIND, task_id)
    return _task(row) if row else None


RUNNING = """
SELECT count(*) FROM jobservice.tasks
WHERE execution_id = $1 AND status = 'running' AND NOT is_plan
"""


async def running(connection: Connection, execution_id: int) -> int:
    """Return how many tasks of an execution run."""
    return int(await connection.fetchval(RUNNING, execution_id))


GET = SELECT + "WHERE task.id = $2 AND task.execution_id = $1"


async def get(connection: Connection, execution_id: int, task_id: int) -> Task | None:
    """Return a task of an execution; its plan has a log too and is found."""
    row = await connection.fetchrow(GET, execution_id, task_id)
    return _task(row) if row else None


STATUS = "SELECT status FROM jobservice.tasks WHERE id = $1"


async def status(connection: Connection, task_id: int) -> TaskStatus | None:
    """Return the status of a task, of a plan too; None if there is no such task."""
    found = await connection.fetchval(STATUS, task_id)
    return TaskStatus(found) if found else None


PLANS = (
    SELECT
    + """
WHERE task.execution_id = ANY($1::bigint[]) AND task.page = 0 AND task.is_plan
ORDER BY task.ordinal DESC
"""
)


async def plans(connection: Connection, execution_ids: Sequence[int]) -> Mapping[int, Task]:
    """Return the first task of executions, by their ids, where it is still there."""
    rows = await connection.fetch(PLANS, list(execution_ids))
    return {row["execution_id"]: _task(row) for row in rows}


BEGUN = "SELECT created_at, status FROM jobservice.tasks WHERE id = $1"


async def begun(connection: Connection, task_id: int) -> tuple[datetime, TaskStatus] | None:
    """Return when a task was made, and its status; None if there is no such task."""
    row = await connection.fetchrow(BEGUN, task_id)
    return None if row is None else (row["created_at"], TaskStatus(row["status"]))


def _task(row: Any) -> Task:
    return Task(
        id=row["id"],
        execution_id=row["execution_id"],
        job_type=row["job_type"],
        status=TaskStatus(row["status"]),
        parameters=row["parameters"],
        attempt=row["attempt"],
        rescues=row["rescues"],
        reason=row["reason"],
        error=TaskError.from_json(row["error"]) if row["error"] else None,
        result=row["result"],
        checkpoint=row["checkpoint"],
        progress=_progress(row),
        not_before=row["not_before"],
        worker_id=row["worker_id"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
    )


def _progress(row: Any) -> Progress | None:
    if row["bytes_done"] is None:
        return None
    return Progress(
        bytes_done=row["bytes_done"],
        bytes_total=row["bytes_total"],
        items_done=row["items_done"],
        items_total=row["items_total"],
        bytes_per_second=row["bytes_per_second"],
    )
