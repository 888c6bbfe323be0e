"""How Postgres fails when the task is not to blame: restarts, cuts, a full disk."""

from __future__ import annotations

import asyncpg

from database.errors import DatabaseUnavailable

POSTGRES_FAILURES = (
    DatabaseUnavailable,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says that was cut while it was being prepared
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
