"""Everything that explains where a task is, read in one statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from database.pool import Connection, Record
from jobservice.domain.explaining import EndpointFacts, Facts, Workers
from jobservice.domain.limits import EndpointState
from jobservice.domain.task import TaskStatus
from jobservice.store import pauses
from jobservice.store.limits import NAMED
from jobservice.store.workers import ALIVE_SECONDS

COUNT_LIMIT = 10_000

FACTS = f"""
WITH this AS (
    SELECT task.*, execution.endpoint_ids, execution.policy_id, execution.destination_id
    FROM jobservice.tasks AS task
    JOIN jobservice.executions AS execution ON execution.id = task.execution_id
    WHERE task.id = $1
), alive AS (
    SELECT worker.job_types FROM jobservice.workers AS worker, this
    WHERE worker.heartbeat_at > clock_timestamp() - interval '{ALIVE_SECONDS} seconds'
      AND worker.zone IS NOT DISTINCT FROM this.zone AND worker.slots ? this.queue
), flying AS (
    SELECT execution_id, job_type FROM jobservice.tasks WHERE status = 'queued'
    UNION ALL
    SELECT execution_id, job_type FROM jobservice.tasks WHERE status = 'running'
)
SELECT clock_timestamp() AS now, this.status, this.reason, this.job_type, this.zone, this.attempt,
       coalesce(this.error ->> 'message', '') AS error, this.not_before,
       this.dispatched_at AS queued_at, this.worker_id, worker.host AS worker_host,
       this.lease_until, this.started_at, this.ended_at, this.stop_requested_at,
       this.endpoint_ids, this.policy_id, this.destination_id,
       (SELECT count(*) FROM flying WHERE flying.job_type = this.job_type) AS type_in_flight,
       (SELECT count(*) FROM alive) AS serving,
       (SELECT count(*) FROM alive WHERE this.job_type = ANY (alive.job_types)) AS knowing,
       (SELECT count(*) FROM (
            SELECT FROM jobservice.tasks AS other
            WHERE other.status = 'pending' AND other.queue = this.queue
              AND coalesce(other.zone, '') = coalesce(this.zone, '')
              AND other.job_type = this.job_type AND other.execution_id = this.execution_id
              AND (other.priority, -other.id) > (this.priority, -this.id)
            LIMIT {COUNT_LIMIT}) AS earlier) AS before,
       (SELECT count(DISTINCT execution_id) FROM (
            SELECT execution_id FROM jobservice.tasks AS other
            WHERE other.status = 'pending' AND other.queue = this.queue
              AND coalesce(other.zone, '') = coalesce(this.zone, '')
              AND other.job_type = this.job_type AND other.execution_id <> this.execution_id
            LIMIT {COUNT_LIMIT}) AS others) AS rivals,
       (SELECT coalesce(jsonb_object_agg(talking.endpoint_id, talking.count), '{{}}') FROM (
            SELECT endpoint_id, count(*) FROM flying
            JOIN jobservice.executions AS execution ON execution.id = flying.execution_id
            CROSS JOIN unnest(execution.endpoint_ids) AS endpoint_id
            WHERE endpoint_id = ANY (this.endpoint_ids) GROUP BY endpoint_id) AS talking)
           AS in_flight
FROM this LEFT JOIN jobservice.workers AS worker ON worker.id = this.worker_id
"""  # noqa: S608  constants of this module

ENDPOINTS = f"""
SELECT known.endpoint_id, called.name, known.concurrency, known.requests_per_second,
       known.postponed_until, known.postponed_because,
       coalesce(known.postponed_until > clock_timestamp(), false) AS is_postponed
FROM {NAMED} WHERE known.endpoint_id = ANY ($1::bigint[])
"""  # noqa: S608  a constant


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeRules:
    """What the code of a job type says of itself; None where this version does not know it."""

    attempts: int | None = None
    concurrency: int | None = None


async def facts(
    connection: Connection, task_id: int, rules: dict[str, TypeRules], *, redis_problem: str
) -> Facts | None:
    """Return what explains a task; to be called in one repeatable-read transaction."""
    row: Any = await connection.fetchrow(FACTS, task_id)
    if row is None:
        return None
    of_type = rules.get(row["job_type"], TypeRules())
    endpoints = await connection.fetch(ENDPOINTS, row["endpoint_ids"])
    held = await pauses.of_task(
        connection,
        job_type=row["job_type"],
        policy_id=row["policy_id"],
        destination_id=row["destination_id"],
    )
    return Facts(
        **{name: row[name] for name in _SAME},
        status=TaskStatus(row["status"]),
        attempts=of_type.attempts,
        worker=_worker(row),
        pauses=held,
        endpoints=[
            EndpointFacts(
                name=name,
                state=EndpointState(**state),
                in_flight=row["in_flight"].get(str(state["endpoint_id"]), 0),
            )
            for name, state in _named(endpoints)
        ],
        job_type_limit=of_type.concurrency,
        job_type_in_flight=row["type_in_flight"],
        workers=Workers(serving=row["serving"], knowing=row["knowing"]),
        redis_problem=redis_problem,
    )


_SAME = (
    "now",
    "reason",
    "job_type",
    "zone",
    "attempt",
    "error",
    "not_before",
    "queued_at",
    "lease_until",
    "started_at",
    "ended_at",
    "stop_requested_at",
    "before",
    "rivals",
)


def _named(rows: Sequence[Record]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in rows:
        state = dict(row)
        yield state.pop("name"), state


def _worker(row: Any) -> str:
    host = f" ({row['worker_host']})" if row["worker_host"] else ""
    return f"worker {row['worker_id']}{host}"
