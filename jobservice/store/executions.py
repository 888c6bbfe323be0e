"""The table jobservice.executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from database.pool import Connection
from jobservice.domain.execution import Effort, Execution, ExecutionStatus, NewExecution
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.policy import TriggerKind
from jobservice.errors import PolicyRunning
from jobservice.store import listing as listing_sql

DISPATCH_CHANNEL = "jobservice_dispatch"
ENDED_CHANNEL = "jobservice_ended"
PLAN_QUEUE = "plan"

COLUMNS = {
    "id": "id",
    "vendor_type": "vendor_type",
    "policy_id": "policy_id",
    "vendor_id": "vendor_id",
    "status": "status",
    "trigger": "trigger",
    "total": "total::bigint",
    "failed": "failed::bigint",
    "succeed": "succeeded::bigint",
    "stopped": "stopped::bigint",
    "start_time": "created_at",
    "end_time": "ended_at",
}

SELECT = """
SELECT id, vendor_type, policy_id, vendor_id, trigger, status, status_text, total, succeeded,
       failed, stopped, unchanged, created_at, started_at, ended_at, stop_requested_at,
       plan_status IS NOT NULL AS plan_ended
FROM jobservice.executions
"""


TABLE = listing_sql.Table(
    select=SELECT,
    source="jobservice.executions",
    columns=COLUMNS,
    sorts={
        "policy_id": "coalesce(policy_id, 0)",
        "end_time": f"coalesce(ended_at, {listing_sql.FAR})",
    },
    split=frozenset({"status"}),
)


async def page(connection: Connection, listing: Listing) -> Rows[Execution]:
    """Return one page of executions; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _execution)


GET = SELECT + "WHERE id = $1"


async def get(connection: Connection, execution_id: int) -> Execution | None:
    """Return an execution."""
    row = await connection.fetchrow(GET, execution_id)
    return _execution(row) if row else None


EFFORT = """
SELECT bytes_copied, bytes_saved, requests FROM jobservice.efforts WHERE execution_id = $1
"""


async def effort(connection: Connection, execution_id: int) -> Effort:
    """Return what an execution's ended tasks took."""
    row: Any = await connection.fetchrow(EFFORT, execution_id)
    return Effort(**row) if row else Effort(bytes_copied=0, bytes_saved=0, requests=0)


SNAPSHOTS = """
SELECT id, policy_snapshot FROM jobservice.executions WHERE id = ANY($1::bigint[])
"""


async def snapshots(
    connection: Connection, execution_ids: Sequence[int]
) -> Mapping[int, Mapping[str, Any]]:
    """Return what executions follow, by their ids."""
    rows = await connection.fetch(SNAPSHOTS, list(execution_ids))
    return {row["id"]: row["policy_snapshot"] for row in rows}


INSERT = f"""
WITH execution AS (
    INSERT INTO jobservice.executions
        (vendor_type, policy_id, trigger, policy_snapshot, single_active, project_id, zone,
         priority, started_by, endpoint_ids, destination_id, vendor_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $11, $12, $14)
    RETURNING id
), plan AS (
    INSERT INTO jobservice.tasks (execution_id, job_type, is_plan, queue, zone, priority)
    SELECT id, $10, true, '{PLAN_QUEUE}', $13, $8 FROM execution
)
SELECT id, pg_notify('{DISPATCH_CHANNEL}', '') FROM execution
"""  # noqa: S608  constants of this module


async def insert(connection: Connection, new: NewExecution) -> int:
    """Add an execution and its plan task, ring for the dispatcher; return the execution's id.

    Raise PolicyRunning when the policy wants one execution at a time and has one.
    """
    try:
        execution_id: int = await connection.fetchval(
            INSERT,
            new.vendor_type,
            new.policy_id,
            new.trigger,
            dict(new.snapshot),
            new.single_active,
            new.project_id,
            new.zone,
            new.priority,
            new.started_by,
            new.job_type,
            list(new.endpoint_ids),
            new.destination_id,
            new.plan_zone,
            new.vendor_id,
        )
    except asyncpg.UniqueViolationError as error:
        raise PolicyRunning(
            f"policy {new.policy_id} runs one execution at a time and has an unfinished one; "
            "wait for it or stop it"
        ) from error
    return execution_id


UNFINISHED = """
SELECT id FROM jobservice.executions WHERE policy_id = $1 AND ended_at IS NULL ORDER BY id LIMIT 5
"""


async def unfinished_of_policy(connection: Connection, policy_id: int) -> tuple[int, ...]:
    """Return up to five unfinished executions of a policy."""
    return tuple(row["id"] for row in await connection.fetch(UNFINISHED, policy_id))


SCHEDULED_AND_WAITING = """
SELECT id FROM jobservice.executions
WHERE vendor_type = $1 AND ($2::bigint IS NULL OR policy_id = $2)
  AND trigger = 'scheduled' AND started_at IS NULL AND ended_at IS NULL
LIMIT 1
"""


async def scheduled_and_waiting(
    connection: Connection, vendor_type: str, policy_id: int | None = None
) -> int | None:
    """Return an execution of a vendor, or of its policy, that a schedule started and that waits."""
    found: int | None = await connection.fetchval(SCHEDULED_AND_WAITING, vendor_type, policy_id)
    return found


UNFINISHED_OF_VENDOR = """
SELECT id FROM jobservice.executions
WHERE vendor_type = $1 AND vendor_id = $2 AND ended_at IS NULL
  AND ($3::text IS NULL OR trigger = $3)
ORDER BY id LIMIT 5
"""


async def unfinished_of_vendor(
    connection: Connection, vendor_type: str, vendor_id: int, trigger: TriggerKind | None = None
) -> tuple[int, ...]:
    """Return up to five unfinished executions of a vendor, of one trigger or of all."""
    rows = await connection.fetch(UNFINISHED_OF_VENDOR, vendor_type, vendor_id, trigger)
    return tuple(row["id"] for row in rows)


def _execution(row: Any) -> Execution:
    return Execution(
        **{
            **dict(row),
            "trigger": TriggerKind(row["trigger"]),
            "status": ExecutionStatus(row["status"]),
        }
    )
