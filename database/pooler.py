"""Tell a transaction pooler from Postgres itself or a session pooler.

A pooler hands out process ids of its own. Whether it pools transactions shows when a second session
gets the server process that a first one, still open, has just used.
"""

from __future__ import annotations

from typing import Any

import asyncpg

from database.errors import PoolerRefused

_ROUNDS = 3
_BACKEND_PID = "SELECT pg_backend_pid()"
_SENTENCE = (
    "TRANSSHIP_POSTGRES_DSN leads to a transaction pooler, which loses LISTEN and prepared "
    "statements; connect to Postgres itself or to a pool in session mode"
)


async def refuse_transaction_pooler(dsn: str, *, timeout_seconds: float) -> None:
    """Raise PoolerRefused if sessions share server processes."""
    first = await asyncpg.connect(dsn, timeout=timeout_seconds, statement_cache_size=0)
    try:
        if await _backend(first) == first.get_server_pid():
            return
        second = await asyncpg.connect(dsn, timeout=timeout_seconds, statement_cache_size=0)
        try:
            for _ in range(_ROUNDS):
                if await _backend(first) == await _backend(second):
                    raise PoolerRefused(_SENTENCE)
        finally:
            second.terminate()
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
        raise PoolerRefused(_SENTENCE) from None
    finally:
        first.terminate()


async def _backend(connection: Any) -> int:
    pid = await connection.fetchval(_BACKEND_PID)
    return int(pid)
