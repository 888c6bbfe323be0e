"""Postgres that dies while a request is being answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from protocol import media_types
from tests.integration.registry import steps
from tests.integration.registry.conftest import Client

WAITING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()
"""
SECONDS = 10
NOTHING = f"sha256:{'0' * 64}"


@asynccontextmanager
async def locked(dsn: str, table: str) -> AsyncIterator[asyncpg.Connection]:
    """Hold a table, so that whoever asks it waits inside a statement."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield connection
    finally:
        await connection.close()


async def end_who_waits(connection: asyncpg.Connection) -> None:
    """Make Postgres drop the connection that waits, as a shutdown does."""
    async with asyncio.timeout(SECONDS):
        while (pid := await connection.fetchval(WAITING)) is None:  # noqa: ASYNC110 - Postgres has no event
            await asyncio.sleep(0.01)
    await connection.execute("SELECT pg_terminate_backend($1)", pid)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "tags/list"),
        ("GET", "manifests/latest"),
        ("POST", "blobs/uploads/"),
        ("PUT", "manifests/latest"),
        ("DELETE", "manifests/latest"),
        ("GET", f"referrers/{NOTHING}"),
    ],
)
async def test_a_postgres_that_dies_under_a_statement_is_unavailable_for_now(
    client: Client, dsn: str, method: str, path: str
) -> None:
    body = await steps.push_image(client, "latest")
    address = f"/v2/{steps.REPOSITORY}/{path}"
    sent = body if method == "PUT" else None
    async with locked(dsn, "registry.repositories") as holder, asyncio.TaskGroup() as group:
        request = group.create_task(
            steps.ask(client, method, address, sent, Content_Type=media_types.OCI_MANIFEST)
        )
        await end_who_waits(holder)
        answer = await request
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "5"
    (fault,) = answer.json["errors"]
    assert fault == {"code": "UNAVAILABLE", "message": "the registry's database is away"}
    again = await steps.ask(client, method, address, sent, Content_Type=media_types.OCI_MANIFEST)
    assert again.status < 300
