"""Plan a hundred thousand tasks into Postgres, page by page as a plan does.

Run as a program: `python -m bench.job_planning POSTGRES_DSN`; prints seconds and bytes, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Final

import uvloop

from bench.processes import cpu_seconds
from database.pool import Database
from jobservice import executions
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind
from jobservice.domain.task import Claimed, NewTask
from jobservice.store import claiming, planning
from jobservice.store.claiming import Claimant
from jobservice.store.planning import PlanPage

PAGES: Final = 100
TASKS_PER_PAGE: Final = 1000
_KIBIBYTE: Final = 1024
_QUEUE: Final = """
UPDATE jobservice.tasks SET status = 'queued', delivery = 1, dispatched_at = now()
WHERE execution_id = $1 RETURNING id
"""
_NEW: Final = NewExecution(
    vendor_type="BENCH",
    job_type="plan",
    policy_id=None,
    trigger=TriggerKind.MANUAL,
    snapshot={},
)


async def main(dsn: str) -> None:
    """Plan, and say what it took."""
    database = await Database.connect(dsn, max_size=1)
    try:
        plan = await _claimed_plan(database)
        await _write(database, plan, 1)
        before = _peak_bytes()
        backend = await _backend(database)
        used_before = time.process_time() + cpu_seconds(backend)
        started = time.monotonic()
        for number in range(2, PAGES + 2):
            await _write(database, plan, number)
        seconds = time.monotonic() - started
        used = time.process_time() + cpu_seconds(backend) - used_before
        grown = _peak_bytes() - before
    finally:
        await database.close()
    json.dump({"seconds": seconds, "cpu_seconds": used, "grown_bytes": grown}, sys.stdout)


async def _backend(database: Database) -> int:
    """Return the process that serves us; the pool has one connection."""
    async with database.connection() as connection:
        pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid


async def _claimed_plan(database: Database) -> Claimed:
    execution_id = await executions.start(database, _NEW)
    async with database.connection() as connection:
        task_id = await connection.fetchval(_QUEUE, execution_id)
        claimant = Claimant(worker_id=1, host="bench", job_types=["plan"], lease_seconds=600)
        (plan,) = await claiming.claim(connection, claimant, [(task_id, 1)])
    return plan


async def _write(database: Database, plan: Claimed, number: int) -> None:
    """Write a page of transfers such as a listing gives them."""
    tasks = [_task(number, ordinal) for ordinal in range(TASKS_PER_PAGE)]
    page = PlanPage(number=number, tasks=tasks, checkpoint={"page": number})
    await database.run(lambda connection: planning.write_page(connection, plan, page))


def _task(number: int, ordinal: int) -> NewTask:
    return NewTask(
        job_type="replication_transfer",
        queue="transfer",
        parameters={
            "source_repository": f"library/repository-{number}",
            "destination_repository": f"mirror/repository-{number}",
            "digest": f"sha256:{number:032x}{ordinal:032x}",
            "tags": [f"v{ordinal}"],
        },
    )


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIBIBYTE


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
