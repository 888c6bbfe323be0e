"""The table jobservice.outbox: what happened and was not handed on yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from database.pool import Connection
from jobservice.domain.hook_payloads.runs import Background, EndedTask
from jobservice.domain.schedule import Schedule

OUTBOX_CHANNEL = "jobservice_outbox"
AGAIN_SECONDS = 300
_ARTIFACTS = 100


class Kind(StrEnum):
    """What a row is about."""

    EXECUTION_ENDED = "execution_ended"
    TASK_ENDED = "task_ended"
    SCHEDULE_OVERDUE = "schedule_overdue"
    TAG_RETENTION = "tag_retention"
    RETENTION_APPROVAL = "retention_approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Something that happened."""

    id: int
    event_id: str
    kind: str
    project_id: int | None
    facts: Mapping[str, Any]
    occurred_at: datetime


_DUE = "not_before IS NULL OR not_before <= clock_timestamp()"
ANY_DUE = f"SELECT EXISTS (SELECT FROM jobservice.outbox WHERE {_DUE})"  # noqa: S608  a constant


async def any_due(connection: Connection) -> bool:
    """Say whether there is anything to hand on."""
    return bool(await connection.fetchval(ANY_DUE))


TAKE = f"""
SELECT id, event_id::text, kind, project_id, facts, occurred_at
FROM jobservice.outbox
WHERE {_DUE}
ORDER BY id LIMIT $1
FOR UPDATE SKIP LOCKED
"""  # noqa: S608  a constant of this module


async def take(connection: Connection, *, limit: int) -> tuple[Row, ...]:
    """Return the oldest rows that nobody else holds; they are ours until the transaction ends."""
    return tuple(Row(**row) for row in await connection.fetch(TAKE, limit))


DELETE = "DELETE FROM jobservice.outbox WHERE id = ANY($1::bigint[])"


async def delete(connection: Connection, rows: Sequence[Row]) -> None:
    """Remove what was handed on."""
    await connection.execute(DELETE, [row.id for row in rows])


POSTPONE = f"""
UPDATE jobservice.outbox SET not_before = clock_timestamp() + interval '{AGAIN_SECONDS} seconds'
WHERE id = $1
"""  # noqa: S608  a constant of this module


async def postpone(connection: Connection, row: Row) -> None:
    """Let a row that could not be handed on wait."""
    await connection.execute(POSTPONE, row.id)


ADD = f"""
INSERT INTO jobservice.outbox (kind, project_id, facts) VALUES ($1, $2, $3)
RETURNING pg_notify('{OUTBOX_CHANNEL}', '')
"""  # noqa: S608  a constant of this module


async def add(
    connection: Connection, kind: Kind, project_id: int | None, facts: Mapping[str, Any]
) -> None:
    """Add something that happened, as part of the open transaction."""
    await connection.fetchrow(ADD, kind, project_id, dict(facts))


# What is told is remembered by the next fire time: it moves on with every one that passes.
ADD_OVERDUE = f"""
WITH told AS (
    UPDATE jobservice.schedules SET told_overdue_at = coalesce(next_fire_time, updated_at)
    WHERE id = $1 AND told_overdue_at IS DISTINCT FROM coalesce(next_fire_time, updated_at)
    RETURNING id, vendor_type, vendor_id, cron
)
INSERT INTO jobservice.outbox (kind, facts)
SELECT '{Kind.SCHEDULE_OVERDUE}', jsonb_build_object(
    'schedule_id', id, 'vendor_type', vendor_type, 'vendor_id', vendor_id, 'cron', cron,
    'due_at', $2::timestamptz, 'last_success_at', $3::timestamptz)
FROM told
RETURNING id, pg_notify('{OUTBOX_CHANNEL}', '')
"""  # noqa: S608  constants of this module


async def add_overdue(connection: Connection, schedule: Schedule) -> bool:
    """Add that a schedule is overdue; False if this was told for its next fire time before."""
    since = max(schedule.last_success_at or schedule.updated_at, schedule.updated_at)
    due_at = next(iter(schedule.timing.fire_times(since)), since)
    added = await connection.fetchval(ADD_OVERDUE, schedule.id, due_at, schedule.last_success_at)
    return added is not None


RUN = """
SELECT execution.policy_snapshot AS snapshot, coalesce(policy.name, '') AS policy_name,
       coalesce(policy.description, '') AS description
FROM jobservice.executions AS execution
LEFT JOIN jobservice.policies AS policy ON policy.id = execution.policy_id
WHERE execution.id = $1
"""
ONE_TASK = """
SELECT status, parameters, coalesce(error ->> 'message', '') AS error
FROM jobservice.tasks WHERE id = $1
"""
FIRST_TASKS = f"""
SELECT status, parameters, coalesce(error ->> 'message', '') AS error
FROM unnest(ARRAY['succeeded', 'failed']) AS wanted,
LATERAL (SELECT id, status, parameters, error FROM jobservice.tasks
         WHERE execution_id = $1 AND NOT is_plan AND status = wanted
         ORDER BY id LIMIT {_ARTIFACTS}) AS task
ORDER BY task.id
"""  # noqa: S608  a constant of this module


RUN_OF = """
SELECT policy_snapshot AS snapshot, started_by FROM jobservice.executions WHERE id = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What an execution follows, and who started it; nothing once it is forgotten."""

    snapshot: Mapping[str, Any] = field(default_factory=dict)
    started_by: str = ""


async def run_of(connection: Connection, execution_id: int) -> Run:
    """Return what is known of an execution that an event is about."""
    row = await connection.fetchrow(RUN_OF, execution_id)
    return Run(**row) if row else Run()


async def background(connection: Connection, row: Row, *, external_url: str) -> Background:
    """Return what a row about an execution or a task does not hold itself.

    Of an execution's tasks the first hundred that succeeded and the first hundred that failed.
    """
    run: Any = await connection.fetchrow(RUN, row.facts["execution_id"])
    if row.kind == Kind.TASK_ENDED:
        tasks = await connection.fetch(ONE_TASK, row.facts["task_id"])
    else:
        tasks = await connection.fetch(FIRST_TASKS, row.facts["execution_id"])
    return Background(
        external_url=external_url,
        **(dict(run) if run else {}),
        tasks=tuple(EndedTask(**task) for task in tasks),
    )
