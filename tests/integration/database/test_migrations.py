"""Migrations of a database that processes of the release before are using."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from database import migrations
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres

DEADLINE_SECONDS = 60
BEFORE_COLLECTION = 17
WAITS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
               AND application_name = 'transship migrate' AND wait_event_type = 'Lock')
"""


@pytest.fixture
async def empty_dsn(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database without any schema."""
    name = f"migrated_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        yield postgres.dsn(name)
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@pytest.fixture
async def dsn_before(empty_dsn: str) -> str:
    """A database of the release before."""
    files = [file for file in migrations.known() if file.number <= BEFORE_COLLECTION]
    await migrations.apply(empty_dsn, files)
    return empty_dsn


async def begun(dsn: str) -> asyncio.Task[list[str]]:
    """Begin to migrate, and return when that waits for a lock."""
    task = asyncio.create_task(migrations.apply(dsn))
    looking = await asyncpg.connect(dsn)
    while not task.done() and not await looking.fetchval(WAITS):
        pass
    await looking.close()
    return task


async def test_a_migration_waits_for_a_push_and_holds_nothing_that_the_push_wants(
    dsn_before: str,
) -> None:
    push = await asyncpg.connect(dsn_before)
    async with asyncio.timeout(DEADLINE_SECONDS), push.transaction():
        await push.execute("LOCK TABLE registry.tags IN ROW EXCLUSIVE MODE")
        migration = await begun(dsn_before)
        for table in ("manifests", "tombstones", "gc_queue"):
            await push.execute(f"LOCK TABLE registry.{table} IN ROW EXCLUSIVE MODE NOWAIT")
    async with asyncio.timeout(DEADLINE_SECONDS):
        done = await migration
    await push.close()
    assert "0018_collection.sql" in done
    assert await migrations.pending(dsn_before) == []


async def test_a_migration_that_deadlocks_gives_way_and_is_tried_again(dsn_before: str) -> None:
    other = await asyncpg.connect(dsn_before)
    async with asyncio.timeout(DEADLINE_SECONDS), other.transaction():
        await other.execute("SET LOCAL deadlock_timeout = '1min'")  # it is not to be the victim
        await other.execute("LOCK TABLE registry.gc_queue IN ROW EXCLUSIVE MODE")
        migration = await begun(dsn_before)
        await other.execute("LOCK TABLE registry.tags IN ROW EXCLUSIVE MODE")
    async with asyncio.timeout(DEADLINE_SECONDS):
        done = await migration
    await other.close()
    assert "0018_collection.sql" in done
    assert await migrations.pending(dsn_before) == []
