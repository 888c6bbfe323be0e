"""A long history, made by a few statements: what lists are measured on."""

from __future__ import annotations

from typing import Final

from database.pool import Connection

EXECUTIONS: Final = 20_000
TASKS: Final = 1_000_000
# One execution as large as they come; the rest share what is left.
LARGE: Final = 100_000

_POLICIES: Final = """
INSERT INTO jobservice.endpoints (name, kind, url)
SELECT 'remote ' || n, 'docker-registry', 'http://remote-' || n || '.example'
FROM generate_series(1, 20) AS n;
INSERT INTO jobservice.policies (name, source_endpoint_id, filters)
SELECT 'policy ' || n, 1 + n % 20, '[]' FROM generate_series(1, 400) AS n;
"""
_EXECUTIONS: Final = """
INSERT INTO jobservice.executions
    (vendor_type, policy_id, trigger, policy_snapshot, plan_status, total, succeeded, failed,
     stopped, created_at, started_at, ended_at)
SELECT 'replication', 1 + n % 400,
       CASE n % 3 WHEN 0 THEN 'manual' WHEN 1 THEN 'scheduled' ELSE 'event_based' END,
       jsonb_build_object('rules', repeat(md5(n::text), 20)),
       CASE WHEN n % 500 > 0 THEN 'succeeded' END,
       size.tasks, size.tasks - size.tasks / 20, size.tasks / 20, 0,
       now() - ($1 - n) * interval '1 minute', now() - ($1 - n) * interval '1 minute',
       now() - ($1 - n - n % 7) * interval '1 minute'
FROM generate_series(1, $1::integer) AS n,
     LATERAL (SELECT CASE n WHEN 1 THEN $3::integer
                            ELSE ($2::integer - $3) / ($1 - 1) END) AS size (tasks)
"""
_TASKS: Final = """
INSERT INTO jobservice.tasks
    (execution_id, job_type, queue, page, ordinal, parameters, status, error, result, attempt,
     worker_id, created_at, started_at, ended_at)
SELECT execution.id, 'replication_transfer', 'transfer', 1, n,
       jsonb_build_object('source_repository', 'team/app-' || n, 'tags', '["latest"]'::jsonb,
                          'destination_repository', 'mirror/app-' || n),
       CASE WHEN n <= execution.succeeded THEN 'succeeded' ELSE 'failed' END,
       CASE WHEN n > execution.succeeded THEN '{"message": "no", "kind": "Broken"}'::jsonb END,
       '{"bytes_copied": 1024, "bytes_saved": 2048, "requests": 7}', 1, n % 20,
       execution.created_at, execution.created_at + (n::bigint * 7919 % 1000) * interval '1 second',
       execution.created_at + (1000 + n::bigint * 104729 % 1000) * interval '1 second'
FROM jobservice.executions AS execution, generate_series(1, execution.total) AS n
"""
_AUDIT: Final = """
INSERT INTO access.audit_log
    (occurred_at, username, address, operation, resource_type, resource, successful)
SELECT now() - ($1 - n) * interval '20 seconds', 'user' || n % 50, '10.0.0.' || n % 250,
       CASE n % 4 WHEN 0 THEN 'start' WHEN 1 THEN 'stop' WHEN 2 THEN 'create' ELSE 'update' END,
       CASE n % 4 WHEN 0 THEN 'execution' WHEN 1 THEN 'execution' ELSE 'policy' END,
       'policy ' || n % 400, n % 9 > 0
FROM generate_series(1, $1::integer) AS n
"""


async def write(connection: Connection, *, executions: int, tasks: int, large: int) -> None:
    """Fill an empty database and let Postgres look at it."""
    await connection.execute(_POLICIES)
    await connection.execute(_EXECUTIONS, executions, tasks, large)
    await connection.execute(_TASKS)
    await connection.execute(_AUDIT, tasks)
    await connection.execute("VACUUM jobservice.tasks, access.audit_log")
    for table in ("jobservice.executions", "jobservice.tasks", "access.audit_log"):
        await connection.execute(f"VACUUM ANALYZE {table}")
