"""Several schedulers at once, each a process: every fire time once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from database.pool import Database
from jobservice.maintenance.scheduler import Scheduler
from tests.fakes import schedulers
from tests.integration.jobservice.conftest import until

EXECUTIONS = "SELECT count(*) FROM jobservice.executions"
MANY = """
INSERT INTO jobservice.schedules (vendor_type, vendor_id, cron, next_fire_time, next_fire_at)
SELECT $1, number, '0 0 0 1 1 *', moment, moment
FROM generate_series(1, $2::integer) AS number,
     LATERAL (SELECT date_trunc('minute', now()) - number % 3 * interval '1 min' AS moment) AS due
"""
OF_EACH = """
SELECT schedule_id, count(*) AS fires, count(DISTINCT execution_id) AS executions
FROM jobservice.schedule_fires
GROUP BY schedule_id
"""
STRAY = """
SELECT count(*)
FROM jobservice.executions
LEFT JOIN jobservice.schedule_fires ON execution_id = executions.id
     AND schedule_fires.schedule_id = executions.schedule_id
WHERE execution_id IS NULL
"""


async def many(database: Database, count: int) -> None:
    """So many schedules, every one of them due."""
    async with database.connection() as connection:
        await connection.execute(MANY, schedulers.VENDOR_TYPE, count)


async def each_fired_once(database: Database, count: int) -> None:
    async with database.connection() as connection:
        rows = await connection.fetch(OF_EACH)
        assert len(rows) == count
        assert {(row["fires"], row["executions"]) for row in rows} == {(1, 1)}
        assert await connection.fetchval(STRAY) == 0
        assert await connection.fetchval(EXECUTIONS) == count


@asynccontextmanager
async def process(dsn: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A scheduler process that waits for a line before it fires."""
    program = (sys.executable, "-m", "tests.fakes.schedulers", dsn)
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*program, stdin=pipe, stdout=pipe)
    assert child.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await child.stdout.readline() == b"ready\n"
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def go(child: asyncio.subprocess.Process) -> None:
    assert child.stdin is not None
    child.stdin.write(b"go\n")
    await child.stdin.drain()


async def test_three_scheduler_processes_fire_a_thousand_schedules_once_each(
    database: Database, dsn: str
) -> None:
    await many(database, 1000)
    async with process(dsn) as one, process(dsn) as two, process(dsn) as three:
        for child in (one, two, three):
            await go(child)
        async with asyncio.timeout(120):
            assert [await child.wait() for child in (one, two, three)] == [0, 0, 0]
    await each_fired_once(database, 1000)


async def test_a_scheduler_killed_in_the_middle_leaves_the_rest_to_the_next(
    database: Database, dsn: str
) -> None:
    await many(database, 300)
    async with process(dsn) as child:
        await go(child)

        async def has_begun() -> bool:
            async with database.connection() as connection:
                count: int = await connection.fetchval(EXECUTIONS)
            return count > 20

        await until(has_begun, 60)
        child.kill()
        await child.wait()
    async with database.connection() as connection:
        assert await connection.fetchval(EXECUTIONS) < 300
    await Scheduler(database, schedulers.STARTERS).tick()
    await each_fired_once(database, 300)
