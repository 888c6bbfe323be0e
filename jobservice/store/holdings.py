"""Whether a database is an installation's, what that holds, and who is connected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from database.pool import Connection

IS_THERE = "SELECT to_regclass('jobservice.policies') IS NOT NULL"
COUNTS = """
SELECT (SELECT count(*) FROM registry.repositories) AS repositories,
       (SELECT count(*) FROM jobservice.endpoints) AS registries,
       (SELECT count(*) FROM jobservice.policies) AS policies,
       (SELECT count(*) FROM jobservice.executions) AS executions
"""


async def counts(connection: Connection) -> Mapping[str, int]:
    """Return how many things of each kind somebody has made here; nothing in an empty database."""
    if not await connection.fetchval(IS_THERE):
        return {}
    row = await connection.fetchrow(COUNTS)
    return {name: count for name, count in (row or {}).items() if count}


OTHERS = """
SELECT DISTINCT application_name || coalesce(' at ' || host(client_addr), '') AS name
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND application_name LIKE 'transship%' ORDER BY name
"""


async def others(connection: Connection) -> Sequence[str]:
    """Return the processes of Transship that are connected besides this one."""
    return [row["name"] for row in await connection.fetch(OTHERS)]


POSTGRES = "SELECT current_setting('server_version_num')::int / 10000"


async def postgres_major(connection: Connection) -> int:
    """Return the server's major version."""
    return int(await connection.fetchval(POSTGRES))


# A reader of events follows transactions, and those of the cluster that was backed up mean nothing
# in this one.
AFTER_RESTORE = """
UPDATE jobservice.task_events SET xact = pg_current_xact_id()
WHERE xact > pg_current_xact_id();
"""
