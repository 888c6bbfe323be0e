"""The heartbeat's thread keeps leases while the main loop turns, and lets them go when it hangs."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from database.pool import Database
from jobservice.domain.task import Claimed
from jobservice.holding import Ending, Holding, Holdings
from jobservice.maintenance import service
from jobservice.maintenance.heartbeat import Heartbeat, Rhythm
from jobservice.maintenance.service import Service
from tests.integration.jobservice.conftest import Jobs, claimed, until

RHYTHM = Rhythm(beat_seconds=0.1, lease_seconds=1.0, stuck_after_seconds=0.5)
HELD = "SELECT lease_until > clock_timestamp() FROM jobservice.tasks"
KEPT = """
SELECT lease_until > clock_timestamp() AND clock_timestamp() > started_at + interval '2 seconds'
FROM jobservice.tasks
"""


@pytest.fixture
async def task(database: Database, jobs_at: Jobs) -> Claimed:
    await jobs_at.start()
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE jobservice.tasks SET status = 'queued', delivery = 1, dispatched_at = now()"
        )
        task_id = await connection.fetchval("SELECT id FROM jobservice.tasks")
        task = await claimed(connection, task_id, 1, lease_seconds=1.0)
    assert task is not None
    return task


@contextlib.asynccontextmanager
async def beating(dsn: str, holdings: Holdings, *, pulse: bool) -> AsyncIterator[None]:
    """A heartbeat, and a main loop that shows its pulse or does not."""
    heartbeat = Heartbeat(dsn, worker_id=1, holdings=holdings, rhythm=RHYTHM)
    still = asyncio.Event()
    heartbeat.start()
    try:
        async with asyncio.TaskGroup() as group:
            if pulse:
                ticks = Service(name="pulse", seconds=0.05, tick=heartbeat.tick)
                group.create_task(service.run(ticks, still))
            yield
            still.set()
    finally:
        await asyncio.to_thread(heartbeat.stop)


async def test_leases_are_kept_while_the_main_loop_turns(
    dsn: str, database: Database, jobs_at: Jobs, task: Claimed
) -> None:
    holdings = Holdings()
    holding = Holding(task, database=database, lease_until=0)
    with holdings.holding(holding):
        async with beating(dsn, holdings, pulse=True):

            async def outlived_its_first_lease() -> bool:
                return bool(await jobs_at.one(KEPT))

            await until(outlived_its_first_lease)
    assert holding.ending is None
    assert holding.lease_until > 0


async def test_leases_run_out_when_the_main_loop_hangs(
    dsn: str, database: Database, jobs_at: Jobs, task: Claimed
) -> None:
    holdings = Holdings()
    with holdings.holding(Holding(task, database=database, lease_until=0)):
        async with beating(dsn, holdings, pulse=False):

            async def ran_out() -> bool:
                return not await jobs_at.one(HELD)

            await until(ran_out)


@pytest.mark.usefixtures("planted")
async def test_a_task_that_did_not_come_back_is_cancelled(
    dsn: str, database: Database, task: Claimed
) -> None:
    holdings = Holdings()
    holding = Holding(task, database=database, lease_until=0)
    async with database.connection() as connection:
        await connection.execute("UPDATE jobservice.tasks SET fence = fence + 1")

    async def is_told() -> bool:
        return holding.ending is Ending.LEASE_LOST

    with holdings.holding(holding):
        async with beating(dsn, holdings, pulse=True):
            await until(is_told)


async def test_a_process_whose_main_loop_does_not_come_back_is_ended(dsn: str) -> None:
    given_up = threading.Event()
    rhythm = replace(RHYTHM, give_up_after_seconds=1.0)
    heartbeat = Heartbeat(
        dsn, worker_id=1, holdings=Holdings(), rhythm=rhythm, give_up=given_up.set
    )
    heartbeat.start()
    try:
        assert await asyncio.to_thread(given_up.wait, 30)
    finally:
        await asyncio.to_thread(heartbeat.stop)
