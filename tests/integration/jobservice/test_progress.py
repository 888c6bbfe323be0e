"""The counter of bytes, as the API shows it, while workers copy real content."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from database.pool import Database
from jobservice import executions
from jobservice.api.harbor import executions as harbor
from jobservice.api.models.replication import TransshipExecution
from jobservice.domain.execution import ExecutionStatus
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.conftest import Jobs, Worker
from tests.integration.jobservice.test_killed_copy import stuck_in_the_middle, worker_process
from tests.integration.jobservice.test_replication import House, house

__all__ = ["house"]

MEBIBYTE = 1024 * 1024


def fill(source: FakeRegistry) -> int:
    """Put ten layers of a MiB into five images; return how many bytes all blobs have."""
    repository = source.repository("app")
    for number in range(5):
        layers = (os.urandom(MEBIBYTE), os.urandom(MEBIBYTE))
        repository.put_image(str(number), layers=layers, config=b'{"n": %d}' % number)
    return sum(len(body) for body in repository.blobs.values())


async def shown(database: Database, execution_id: int) -> TransshipExecution:
    found = await executions.get(database, execution_id)
    account = await executions.account(database, execution_id)
    transship = harbor.execution(found, account).transship
    assert transship is not None
    return transship


async def counted(house: House, execution_id: int) -> list[int]:
    """Every count that is seen until the execution ends, the last one after that."""
    seen = []
    async with asyncio.timeout(60):
        while True:
            ended = (await executions.get(house.jobs.database, execution_id)).ended_at is not None
            seen.append((await shown(house.jobs.database, execution_id)).bytes_done)
            if ended:
                return seen
            await asyncio.sleep(0.02)


async def test_two_workers_copy_ten_mebibytes_and_the_counter_rises_by_exactly_that(
    house: House, tmp_path: Path
) -> None:
    size = fill(house.source)
    assert size == 10 * MEBIBYTE + 5 * len(b'{"n": 0}')
    with worker_process(house, tmp_path), worker_process(house, tmp_path):
        execution_id = await house.start(await house.snapshot())
        seen = await counted(house, execution_id)
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, size)
    end = await shown(house.jobs.database, execution_id)
    assert (end.bytes_copied, end.bytes_done, end.bytes_total) == (size, size, size)


async def test_nothing_is_counted_twice_after_a_rescue(house: House, tmp_path: Path) -> None:
    size = fill(house.source)
    held = stuck_in_the_middle(house.source)
    with worker_process(house, tmp_path) as doomed:
        execution_id = await house.start(await house.snapshot())
        async with asyncio.timeout(30):
            await held.reached.wait()
        doomed.kill()
        doomed.wait()
    assert held.hold is not None
    held.hold.set()
    with worker_process(house, tmp_path):
        seen = await counted(house, execution_id)
    assert (max(seen), seen[-1]) == (size, size)
    ended = await executions.get(house.jobs.database, execution_id)
    assert ended.status is ExecutionStatus.SUCCEEDED


async def test_what_tasks_took_is_the_sum_of_their_results(jobs_at: Jobs, worker: Worker) -> None:
    async with worker():
        execution_id = await jobs_at.start([{}, {"do": "flaky"}, {"do": "fail"}], [{}])
        await jobs_at.ended(execution_id)
    async with jobs_at.database.connection() as connection:
        await connection.execute(
            "INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, ordinal, status,"
            " ended_at, result) SELECT $1, 'act', 'transfer', 9, n, 'succeeded', now(), result"
            " FROM unnest($2::jsonb[]) WITH ORDINALITY AS given (result, n)",
            execution_id,
            [
                {"bytes_copied": 7, "bytes_saved": 1, "requests": 2},
                {"bytes_copied": "many", "requests": 3},
                {"bytes_copied": 1e300},
                None,
            ],
        )
        await connection.execute(
            "UPDATE jobservice.executions SET total = total + 4,"
            " succeeded = succeeded + 4 WHERE id = $1",
            execution_id,
        )
    effort = (await executions.account(jobs_at.database, execution_id)).effort
    assert (effort.bytes_copied, effort.bytes_saved, effort.requests) == (
        7 + 9_000_000_000_000_000,
        1,
        5,
    )
