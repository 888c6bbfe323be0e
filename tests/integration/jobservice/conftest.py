"""A worker in this process, and patience with a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from database.pool import Connection, Database
from jobservice import executions, working
from jobservice import logging as service_logging
from jobservice.domain.execution import Execution, NewExecution
from jobservice.domain.listing import Listing
from jobservice.domain.policy import TriggerKind
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import Claimed, Task, TaskError, TaskStatus
from jobservice.jobs.base import JobType
from jobservice.maintenance.service import Service
from jobservice.store import claiming, settling
from jobservice.store.claiming import Claimant
from tests import invariants
from tests.fakes import jobs

DEADLINE_SECONDS = 20.0
LOOK_SECONDS = 0.02
ERROR = TaskError(message="it broke", kind="Broken")


async def until(
    condition: Callable[[], Awaitable[bool]], seconds: float = DEADLINE_SECONDS
) -> None:
    """Return when the condition holds; fail after the deadline."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  Postgres sets no events of ours
            await asyncio.sleep(LOOK_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """Starts executions of made-up jobs and looks at what became of them."""

    database: Database

    async def start(self, *pages: Sequence[dict[str, Any]], **snapshot: Any) -> int:
        """Start an execution whose plan writes these pages of tasks."""
        new = NewExecution(
            vendor_type="test",
            job_type="plan",
            policy_id=None,
            trigger=TriggerKind.MANUAL,
            snapshot={"pages": [list(page) for page in pages], **snapshot},
        )
        return await executions.start(self.database, new)

    async def tasks(self, execution_id: int) -> tuple[Task, ...]:
        """Return all tasks."""
        listing = Listing(page_size=1000)
        return (await executions.tasks_page(self.database, execution_id, listing)).items

    async def ended(self, execution_id: int, seconds: float = DEADLINE_SECONDS) -> Execution:
        """Return the execution when it has ended."""

        async def has_ended() -> bool:
            return (await executions.get(self.database, execution_id)).ended_at is not None

        await until(has_ended, seconds)
        return await executions.get(self.database, execution_id)

    async def running(self, execution_id: int, count: int) -> None:
        """Return when so many tasks run."""

        async def run() -> bool:
            tasks = await self.tasks(execution_id)
            return sum(task.status == "running" for task in tasks) == count

        await until(run)

    async def reasons(self, becomes: str) -> set[str]:
        """Return why tasks came into a state, whenever they did."""
        query = "SELECT DISTINCT reason FROM jobservice.task_events WHERE becomes = $1"
        async with self.database.connection() as connection:
            return {row["reason"] for row in await connection.fetch(query, becomes)}

    async def one(self, query: str, *args: object) -> Any:
        """Return one value from the database."""
        async with self.database.connection() as connection:
            return await connection.fetchval(query, *args)


async def claimed(
    connection: Connection,
    task_id: int,
    delivery: int,
    *,
    job_types: Sequence[str] = ("plan", "act", "copy"),
    lease_seconds: float = 25,
) -> Claimed | None:
    """Claim one task as worker 1; None if it is not to be had."""
    claimant = Claimant(worker_id=1, host="here", job_types=job_types, lease_seconds=lease_seconds)
    tasks = await claiming.claim(connection, claimant, [(task_id, delivery)])
    return tasks[0] if tasks else None


async def settled(connection: Connection, task: Claimed, status: TaskStatus) -> bool:
    """Settle one task, without a pause where it is to run again; say whether it was ours."""
    error = ERROR if status in {TaskStatus.FAILED, TaskStatus.RETRYING} else None
    settlement = Settlement(task=task, status=status, error=error)
    return bool(await settling.settle(connection, [settlement]))


@pytest.fixture
def planted() -> None:
    """To be used by a test that writes what the product never would."""


@pytest.fixture
async def dsn(dsn: str, request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """This test's database; what the test leaves in it is looked at."""
    yield dsn
    if "planted" not in request.fixturenames:
        await invariants.assert_hold(dsn)


@pytest.fixture
def jobs_at(database: Database) -> Jobs:
    return Jobs(database=database)


Worker = Callable[[], AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def working_at(
    dsn: str,
    redis_dsn: str,
    job_types: Callable[[Database], Mapping[str, JobType]] = jobs.job_types,
    chores: Callable[[Database], tuple[Service, ...]] = lambda _database: (),
) -> AsyncIterator[None]:
    """A worker process's whole inside."""
    setup = working.Setup(
        postgres_dsn=dsn, redis_dsn=redis_dsn, slots=jobs.SLOTS, rhythm=jobs.HASTY
    )
    stop = asyncio.Event()
    database = await Database.connect(dsn)
    try:
        async with asyncio.TaskGroup() as group:
            types = job_types(database)
            group.create_task(working.work(setup, database, types, stop=stop, chores=chores))
            try:
                yield
            finally:
                stop.set()
    finally:
        await database.close()


@pytest.fixture
def worker(dsn: str, valkey_url: str) -> Worker:
    """A worker, to be entered."""
    return lambda: working_at(dsn, valkey_url)


@pytest.fixture
def product_logging() -> Iterator[None]:
    """Log as processes do; task logs are fed by that."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    service_logging.configure()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
