"""Settling: how claimed tasks ended or why they wait, their executions' counters and the bell.

One statement for any number of tasks, all or nothing; a claim that no longer stands writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from database.pool import Connection
from jobservice.domain import storable
from jobservice.domain.settlement import Settlement
from jobservice.store.executions import ENDED_CHANNEL
from jobservice.store.stopping import STOPPED_BY

SETTLE = f"""
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(
        $1::bigint[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::boolean[], $9::text[], $10::integer[], $11::double precision[]
    ) AS asked (id, delivery, fence, status, reason, error, result, unchanged, status_text,
                attempts, delay_seconds)
), ours AS MATERIALIZED (
    SELECT task.id FROM jobservice.tasks AS task JOIN asked USING (id, delivery, fence)
    WHERE task.status = 'running'
    ORDER BY task.id FOR NO KEY UPDATE OF task
), settled AS (
    UPDATE jobservice.tasks AS task
    SET status = asked.status, lease_until = NULL, attempt = attempt + asked.attempts,
        reason = CASE WHEN asked.status = 'stopped' THEN {STOPPED_BY} ELSE asked.reason END,
        error = CASE WHEN asked.status IN ('retrying', 'pending')
                     THEN coalesce(asked.error::jsonb, task.error) ELSE asked.error::jsonb END,
        result = asked.result::jsonb,
        not_before = CASE WHEN asked.status IN ('retrying', 'pending')
                          THEN clock_timestamp() + asked.delay_seconds * interval '1 second' END,
        ended_at = CASE WHEN asked.status NOT IN ('retrying', 'pending')
                        THEN clock_timestamp() END
    FROM asked JOIN ours USING (id)
    WHERE task.id = ours.id AND task.fence = asked.fence
    RETURNING task.id, task.fence, task.execution_id, task.is_plan, task.status, asked.unchanged,
              asked.status_text
), forgotten AS (
    DELETE FROM jobservice.task_progress USING settled WHERE task_id = settled.id
), counted AS (
    SELECT execution_id,
           count(*) FILTER (WHERE NOT is_plan AND status = 'succeeded') AS succeeded,
           count(*) FILTER (WHERE NOT is_plan AND status = 'failed') AS failed,
           count(*) FILTER (WHERE NOT is_plan AND status = 'stopped') AS stopped,
           count(*) FILTER (WHERE unchanged) AS unchanged,
           max(status) FILTER (WHERE is_plan) AS plan_status,
           max(status_text) AS status_text
    FROM settled WHERE status NOT IN ('retrying', 'pending') GROUP BY execution_id
), theirs AS MATERIALIZED (
    SELECT id FROM jobservice.executions WHERE id IN (SELECT execution_id FROM counted)
    ORDER BY id FOR NO KEY UPDATE
), rolled_up AS (
    UPDATE jobservice.executions AS execution
    SET succeeded = execution.succeeded + counted.succeeded,
        failed = execution.failed + counted.failed,
        stopped = execution.stopped + counted.stopped,
        unchanged = execution.unchanged + counted.unchanged,
        plan_status = coalesce(counted.plan_status, execution.plan_status),
        status_text = coalesce(counted.status_text, execution.status_text)
    FROM counted JOIN theirs ON theirs.id = counted.execution_id
    WHERE execution.id = theirs.id
    RETURNING execution.id,
              CASE WHEN ended_at IS NOT NULL
                   THEN pg_notify('{ENDED_CHANNEL}', execution.id::text) END
)
SELECT settled.id, settled.fence FROM settled
LEFT JOIN rolled_up ON rolled_up.id = settled.execution_id
"""  # noqa: S608  constants of this module


async def settle(
    connection: Connection, settlements: Sequence[Settlement]
) -> frozenset[tuple[int, int]]:
    """Write how tries ended; return the keys of those whose claim stood, the rest changed nothing.

    To be called in a transaction, which may have to be repeated after a conflict.
    """
    rows = await connection.fetch(SETTLE, *_columns(settlements))
    return frozenset((row["id"], row["fence"]) for row in rows)


def _columns(settlements: Sequence[Settlement]) -> tuple[list[Any], ...]:
    return (
        [one.task.id for one in settlements],
        [one.task.delivery for one in settlements],
        [one.task.fence for one in settlements],
        [one.status for one in settlements],
        [storable.text(one.reason) for one in settlements],
        [_json(one.error.to_json() if one.error else None) for one in settlements],
        [_json(one.result) for one in settlements],
        [one.unchanged for one in settlements],
        [storable.text(one.status_text) if one.status_text else None for one in settlements],
        [one.attempts for one in settlements],
        [one.delay_seconds for one in settlements],
    )


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(storable.document(value)).decode()
