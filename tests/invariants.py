"""What is true of the job service's tables, whatever died on the way: one query each.

A query returns the rows that violate it, as text; none is how it should be. Those of `ALWAYS` hold
at any moment, between any two transactions. Those of `AT_REST` hold when nothing has been going on
for a while: all work has ended, and whoever rescues has had the time to.

They look at the tables alone, also at databases that an earlier release left (tests/upgrade), and
repeat no code of the product: what may follow what is written out here once more.
"""
# ruff: noqa: S608 - queries are made of this module's constants

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

EXAMPLES = 5

UNFINISHED = "('pending', 'queued', 'running', 'retrying')"
FINAL = "('succeeded', 'failed', 'stopped')"

# An event with the one before it. Tasks that a plan settles on the spot are born final, and those
# of a release that kept no events have begun somewhere in the middle.
CHAIN = """
WITH chain AS (
    SELECT event.*,
           lag(becomes) OVER task AS before_becomes, lag(delivery) OVER task AS before_delivery,
           lag(attempt) OVER task AS before_attempt, lag(fence) OVER task AS before_fence
    FROM jobservice.task_events AS event
    WINDOW task AS (PARTITION BY task_id ORDER BY id)
)
"""
KEPT_SINCE = """
(SELECT applied_at FROM database.migrations WHERE name = '0006_control.sql')
"""

ALWAYS: Mapping[str, str] = {
    "an execution's counters are the counts of its tasks": """
        SELECT execution.id, total, succeeded, failed, stopped, tasks.* FROM jobservice.executions
            AS execution
        CROSS JOIN LATERAL (
            SELECT count(*) AS of_all, count(*) FILTER (WHERE status = 'succeeded') AS of_succeeded,
                   count(*) FILTER (WHERE status = 'failed') AS of_failed,
                   count(*) FILTER (WHERE status = 'stopped') AS of_stopped
            FROM jobservice.tasks WHERE execution_id = execution.id AND NOT is_plan
        ) AS tasks
        WHERE swept_at IS NULL
          AND ((total, succeeded, failed, stopped)
               IS DISTINCT FROM (of_all, of_succeeded, of_failed, of_stopped)
               OR unchanged > succeeded)
    """,
    "an execution knows how its plan ended": f"""
        SELECT execution.id, execution.plan_status, task.id, task.status
        FROM jobservice.executions AS execution
        JOIN jobservice.tasks AS task ON task.execution_id = execution.id AND task.is_plan
        WHERE execution.plan_status IS DISTINCT FROM
              CASE WHEN task.status IN {FINAL} THEN task.status END
    """,
    "an execution's status is the roll-up of its tasks": f"""
        SELECT execution.id, execution.status, tasks.* FROM jobservice.executions AS execution
        CROSS JOIN LATERAL (
            SELECT count(*) AS found,
                   bool_or(status IN {UNFINISHED}) AS unfinished,
                   bool_or(status = 'failed') AS failed, bool_or(status = 'stopped') AS stopped
            FROM jobservice.tasks WHERE execution_id = execution.id
        ) AS tasks
        WHERE found > 0 AND swept_at IS NULL AND CASE
            WHEN unfinished THEN execution.status NOT IN ('pending', 'running')
            WHEN tasks.failed THEN execution.status <> 'failed'
            WHEN tasks.stopped THEN execution.status <> 'stopped'
            ELSE execution.status <> 'succeeded' END
    """,
    "nothing is unfinished in an ended execution": f"""
        SELECT execution.id, task.id, task.status FROM jobservice.executions AS execution
        JOIN jobservice.tasks AS task ON task.execution_id = execution.id
        WHERE execution.ended_at IS NOT NULL AND task.status IN {UNFINISHED}
    """,
    "a task belongs to an execution": """
        SELECT task.id, task.execution_id FROM jobservice.tasks AS task
        WHERE NOT EXISTS (SELECT FROM jobservice.executions WHERE id = task.execution_id)
    """,
    "an execution with a task that began has begun": """
        SELECT execution.id FROM jobservice.executions AS execution
        WHERE started_at IS NULL AND EXISTS (
            SELECT FROM jobservice.tasks WHERE execution_id = execution.id AND fence > 0)
    """,
    "every transition is a legal one": """
        SELECT task_id, id, was, becomes FROM jobservice.task_events
        WHERE (was, becomes) NOT IN (
            ('pending', 'queued'), ('pending', 'stopped'),
            ('queued', 'running'), ('queued', 'pending'), ('queued', 'stopped'),
            ('running', 'succeeded'), ('running', 'failed'), ('running', 'stopped'),
            ('running', 'retrying'), ('running', 'pending'),
            ('retrying', 'pending'), ('retrying', 'stopped'),
            ('failed', 'pending'), ('stopped', 'pending'))
    """,
    "a task's events form a chain": f"""
        {CHAIN}
        SELECT task_id, id, before_becomes, was FROM chain WHERE before_becomes <> was
        UNION ALL
        SELECT chain.task_id, chain.id, NULL, was FROM chain
        JOIN jobservice.tasks AS task ON task.id = task_id
        WHERE before_becomes IS NULL AND was <> 'pending' AND chain.delivery > 0
          AND task.created_at > {KEPT_SINCE}
    """,
    "a task is as its last event left it": f"""
        SELECT task.id, task.status, task.delivery, task.fence, last.* FROM jobservice.tasks AS task
        LEFT JOIN LATERAL (
            SELECT becomes, event.delivery AS last_delivery, event.fence AS last_fence
            FROM jobservice.task_events AS event
            WHERE task_id = task.id ORDER BY event.id DESC LIMIT 1
        ) AS last ON true
        WHERE CASE WHEN becomes IS NULL
            THEN task.created_at > {KEPT_SINCE} AND task.delivery > 0
            ELSE (task.status, task.delivery, task.fence)
                 IS DISTINCT FROM (becomes, last_delivery, last_fence) END
    """,
    "a delivery rises by one with a dispatch and else stays": f"""
        {CHAIN}
        SELECT task_id, id, becomes, before_delivery, delivery FROM chain
        WHERE before_delivery IS NOT NULL
          AND delivery <> before_delivery + (becomes = 'queued')::integer
    """,
    "a fence rises by one with a claim and else stays": f"""
        {CHAIN}
        SELECT task_id, id, becomes, before_fence, fence FROM chain
        WHERE before_fence IS NOT NULL AND fence <> before_fence + (becomes = 'running')::integer
    """,
    "an attempt is spent by a failure alone and given back by an operator": f"""
        {CHAIN}
        SELECT task_id, id, was, becomes, before_attempt, attempt FROM chain
        WHERE before_attempt IS NOT NULL AND attempt <> CASE
            WHEN becomes = 'retrying' THEN before_attempt + 1
            WHEN was IN ('failed', 'stopped') THEN 1
            ELSE before_attempt END
    """,
    "a delivery is claimed once": """
        SELECT task_id, delivery, count(*) FROM jobservice.task_events WHERE becomes = 'running'
        GROUP BY task_id, delivery HAVING count(*) > 1
    """,
    "a claim ends once": """
        SELECT task_id, fence, count(*) FROM jobservice.task_events WHERE was = 'running'
        GROUP BY task_id, fence HAVING count(*) > 1
    """,
    "a task succeeds once": """
        SELECT task_id, count(*), array_agg(fence) FROM jobservice.task_events
        WHERE becomes = 'succeeded' GROUP BY task_id HAVING count(*) > 1
    """,
    "a running task has a lease and a worker, any other has neither lease nor progress": """
        SELECT task.id, status, lease_until, worker_id, progress.fence
        FROM jobservice.tasks AS task
        LEFT JOIN jobservice.task_progress AS progress ON task_id = task.id
        WHERE (status = 'running') <> (lease_until IS NOT NULL)
           OR (status = 'running' AND worker_id IS NULL)
           OR (status <> 'running' AND progress.fence IS NOT NULL)
           OR progress.fence > task.fence
    """,
    "a final task says when it ended, a failed one why": f"""
        SELECT id, status, ended_at, error FROM jobservice.tasks
        WHERE (status IN {FINAL}) <> (ended_at IS NOT NULL)
           OR (status = 'failed' AND error IS NULL)
    """,
    "of unfinished tasks of a type one has a unique key": f"""
        SELECT job_type, unique_key, count(*) FROM jobservice.tasks
        WHERE unique_key IS NOT NULL AND status IN {UNFINISHED}
        GROUP BY job_type, unique_key HAVING count(*) > 1
    """,
    "a policy with a single active execution has one": """
        SELECT policy_id, array_agg(id) FROM jobservice.executions
        WHERE single_active AND ended_at IS NULL GROUP BY policy_id HAVING count(*) > 1
    """,
    "what was left out is counted at least as often as it is shown": """
        SELECT outcome.execution_id, outcome.reason, outcome.count, count(example.ordinal)
        FROM jobservice.outcomes AS outcome
        JOIN jobservice.outcome_examples AS example USING (execution_id, reason)
        GROUP BY outcome.execution_id, outcome.reason, outcome.count
        HAVING count(example.ordinal) > outcome.count
    """,
    "a task was given up at ten rescues and not before": """
        SELECT id, status, rescues, error FROM jobservice.tasks
        WHERE (error ->> 'kind' = 'WorkerDied' AND status = 'failed' AND rescues < 10)
           OR (rescues >= 10 AND status IN ('queued', 'running'))
    """,
    "an execution was started by one fire time": """
        SELECT execution_id, array_agg(fire_time) FROM jobservice.schedule_fires
        WHERE execution_id IS NOT NULL GROUP BY execution_id HAVING count(*) > 1
    """,
    "an execution that a schedule started knows the schedule": """
        SELECT execution.id, execution.schedule_id, fire.schedule_id
        FROM jobservice.schedule_fires AS fire
        JOIN jobservice.executions AS execution ON execution.id = fire.execution_id
        WHERE execution.schedule_id IS DISTINCT FROM fire.schedule_id
    """,
    "what will not fire any more has no next fire time": """
        SELECT id, enabled, ends_at, next_fire_time FROM jobservice.schedules
        WHERE next_fire_time IS NOT NULL AND (NOT enabled OR next_fire_time > ends_at)
    """,
}

AT_REST: Mapping[str, str] = {
    "no task is unfinished": f"""
        SELECT id, execution_id, job_type, status, reason, not_before FROM jobservice.tasks
        WHERE status IN {UNFINISHED}
    """,
    "no execution is unfinished": """
        SELECT id, status, total, succeeded, failed, stopped, plan_status
        FROM jobservice.executions WHERE ended_at IS NULL
    """,
    "no progress is kept": "SELECT task_id, fence FROM jobservice.task_progress",
}
# Besides, where somebody reads the outbox; a row that could not be handed on is a violation, too.
DRAINED: Mapping[str, str] = {
    "the outbox is drained": "SELECT id, kind, occurred_at, not_before FROM jobservice.outbox",
}

# What holds for a dead worker's tasks once the rescuer, which comes every two seconds, has been by.
RESCUED = """
SELECT id, worker_id, lease_until FROM jobservice.tasks
WHERE status = 'running' AND lease_until < clock_timestamp() - $1 * interval '1 second'
"""


async def broken(
    connection: Any, *, at_rest: bool = False, drained: bool = False
) -> dict[str, list[str]]:
    """Return what does not hold, each with a few of the rows that say so.

    To be called in a repeatable-read transaction where others write: what commits between two
    queries would look like a violation.
    """
    invariants = {**ALWAYS, **(AT_REST if at_rest else {}), **(DRAINED if drained else {})}
    found = {}
    for name, query in invariants.items():
        rows = await connection.fetch(f"SELECT * FROM ({query}) AS violations LIMIT {EXAMPLES}")
        if rows:
            found[name] = [str(tuple(row)) for row in rows]
    return found


async def assert_hold(dsn: str, *, at_rest: bool = False, drained: bool = False) -> None:
    """Fail, naming each invariant that does not hold in a database."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            found = await broken(connection, at_rest=at_rest, drained=drained)
    finally:
        await connection.close()
    assert not found, "\n".join(f"{name}: {rows}" for name, rows in found.items())


async def overdue(connection: Any, *, grace_seconds: float) -> list[Any]:
    """Return running tasks whose lease expired longer ago than the rescuer may take."""
    rows: list[Any] = await connection.fetch(RESCUED, grace_seconds)
    return rows
