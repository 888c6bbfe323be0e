"""The table jobservice.hook_deliveries; a delivery's way is its task's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from database.pool import Connection
from jobservice.domain.hook import PayloadFormat, Target, TargetKind
from jobservice.domain.hook_delivery import HookDelivery, NewDelivery
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.policy import TriggerKind
from jobservice.domain.task import Claimed, TaskError, TaskStatus
from jobservice.store import listing as listing_sql
from jobservice.store.executions import DISPATCH_CHANNEL

VENDOR_TYPE = "webhook"
JOB_TYPE = "hook_delivery"
QUEUE = "hook"
BODY_LIMIT = 1000

COLUMNS = {
    "id": "delivery.id",
    "hook_id": "delivery.hook_id",
    "event_id": "delivery.event_id::text",
    "event_type": "delivery.event_type",
    "target": "delivery.target",
    "status": """CASE WHEN task.status = 'succeeded' THEN 'delivered'
                      WHEN task.status IN ('failed', 'stopped') THEN 'failed' ELSE 'pending' END""",
    "response_code": "delivery.response_code::bigint",
    "created_at": "delivery.created_at",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Why a hook is told: the event, what started it, and whether it is tried only once."""

    hook_id: int
    project_id: int | None
    event_id: str
    event_type: str
    trigger: TriggerKind = TriggerKind.EVENT_BASED
    started_by: str = ""
    is_repeat: bool = False
    tries_once: bool = False


INSERT = f"""
WITH execution AS (
    INSERT INTO jobservice.executions
        (vendor_type, vendor_id, trigger, policy_snapshot, project_id, started_by, plan_status,
         total)
    VALUES ('{VENDOR_TYPE}', $1, $5, '{{}}', $2, $6, 'succeeded', cardinality($9::bigint[]))
    RETURNING id
), message AS (
    SELECT * FROM unnest($9::bigint[], $10::text[], $11::text[], $12::text[])
        WITH ORDINALITY AS message (target_id, target, content_type, payload, ordinal)
), task AS (
    INSERT INTO jobservice.tasks (execution_id, job_type, queue, ordinal, parameters)
    SELECT execution.id, '{JOB_TYPE}', '{QUEUE}', message.ordinal,
           jsonb_build_object('tries_once', $8::boolean)
    FROM execution, message
    RETURNING id, ordinal
), delivery AS (
    INSERT INTO jobservice.hook_deliveries
        (hook_id, target_id, target, event_id, event_type, content_type, payload, task_id,
         is_repeat)
    SELECT $1, message.target_id, message.target, $3::text::uuid, $4, message.content_type,
           message.payload, task.id, $7
    FROM message JOIN task USING (ordinal) ORDER BY message.ordinal
    RETURNING id
)
SELECT id, pg_notify('{DISPATCH_CHANNEL}', '') FROM delivery ORDER BY id
"""  # noqa: S608  constants of this module


async def insert(
    connection: Connection, occasion: Occasion, deliveries: Sequence[NewDelivery]
) -> tuple[int, ...]:
    """Add messages with the execution that carries them, ring for the dispatcher; return ids."""
    rows = await connection.fetch(
        INSERT,
        occasion.hook_id,
        occasion.project_id,
        occasion.event_id,
        occasion.event_type,
        occasion.trigger,
        occasion.started_by,
        occasion.is_repeat,
        occasion.tries_once,
        [one.target_id for one in deliveries],
        [one.target for one in deliveries],
        [one.content_type for one in deliveries],
        [one.payload for one in deliveries],
    )
    return tuple(row["id"] for row in rows)


SELECT = """
SELECT delivery.id, delivery.hook_id, delivery.event_id::text, delivery.event_type,
       delivery.target, delivery.content_type, delivery.payload, task.execution_id,
       delivery.task_id, delivery.is_repeat, task.status AS task_status, task.error,
       delivery.attempts, delivery.response_code, delivery.response_body, task.not_before,
       delivery.created_at, delivery.delivered_at
FROM jobservice.hook_deliveries AS delivery
JOIN jobservice.tasks AS task ON task.id = delivery.task_id
"""
TABLE = listing_sql.Table(
    select=SELECT,
    source=(
        "jobservice.hook_deliveries AS delivery"
        " JOIN jobservice.tasks AS task ON task.id = delivery.task_id"
    ),
    columns=COLUMNS,
    sorts={"response_code": "coalesce(delivery.response_code, 0)::bigint"},
    endless=True,
)


async def page(connection: Connection, listing: Listing) -> Rows[HookDelivery]:
    """Return one page of deliveries; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _delivery)


GET = SELECT + "WHERE delivery.id = $2 AND delivery.hook_id = $1"


async def get(connection: Connection, hook_id: int, delivery_id: int) -> HookDelivery | None:
    """Return a delivery of a hook."""
    row = await connection.fetchrow(GET, hook_id, delivery_id)
    return _delivery(row) if row else None


HAS_EXECUTION = f"""
SELECT EXISTS (SELECT FROM jobservice.executions
               WHERE id = $2 AND vendor_type = '{VENDOR_TYPE}' AND vendor_id = $1)
"""  # noqa: S608  a constant of this module


async def has_execution(connection: Connection, hook_id: int, execution_id: int) -> bool:
    """Say whether an execution carries messages of a hook."""
    return bool(await connection.fetchval(HAS_EXECUTION, hook_id, execution_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What a task has to send. `target` is None where it was removed since."""

    delivery_id: int
    event_id: str
    event_type: str
    content_type: str
    payload: str
    age_seconds: float
    is_delivered: bool
    target: Target | None


DUE = """
SELECT delivery.id, delivery.event_id::text, delivery.event_type, delivery.content_type,
       delivery.payload, delivery.delivered_at,
       extract(epoch FROM clock_timestamp() - delivery.created_at)::double precision AS age_seconds,
       target.id AS target_id, target.kind, target.format, target.address,
       target.skip_cert_verify, target.auth_header_sealed, target.secret_sealed
FROM jobservice.hook_deliveries AS delivery
LEFT JOIN jobservice.hook_targets AS target ON target.id = delivery.target_id
WHERE delivery.task_id = $1
"""


async def due(connection: Connection, task_id: int) -> Due | None:
    """Return what a task has to send; None where its hook was removed."""
    row = await connection.fetchrow(DUE, task_id)
    if row is None:
        return None
    return Due(
        delivery_id=row["id"],
        event_id=row["event_id"],
        event_type=row["event_type"],
        content_type=row["content_type"],
        payload=row["payload"],
        age_seconds=row["age_seconds"],
        is_delivered=row["delivered_at"] is not None,
        target=_target(row) if row["target_id"] is not None else None,
    )


NOTE = f"""
UPDATE jobservice.hook_deliveries AS delivery
SET attempts = attempts + 1, response_code = $4, response_body = left($5, {BODY_LIMIT}),
    delivered_at = CASE WHEN $6 THEN clock_timestamp() END
FROM jobservice.tasks AS task
WHERE task.id = $1 AND task.delivery = $2 AND task.fence = $3 AND task.status = 'running'
  AND delivery.task_id = task.id AND delivery.delivered_at IS NULL
"""  # noqa: S608  constants of this module


async def note(
    connection: Connection, task: Claimed, *, code: int | None, body: str, arrived: bool
) -> None:
    """Write what became of a try; nothing is written if the task is no longer ours."""
    await connection.execute(NOTE, task.id, task.delivery, task.fence, code, body, arrived)


def _target(row: Any) -> Target:
    return Target(
        id=row["target_id"],
        kind=TargetKind(row["kind"]),
        format=PayloadFormat(row["format"]),
        address=row["address"],
        skip_cert_verify=row["skip_cert_verify"],
        auth_header_sealed=row["auth_header_sealed"],
        secret_sealed=row["secret_sealed"],
    )


def _delivery(row: Any) -> HookDelivery:
    return HookDelivery(
        **{
            **dict(row),
            "task_status": TaskStatus(row["task_status"]),
            "error": TaskError.from_json(row["error"]) if row["error"] else None,
        }
    )
