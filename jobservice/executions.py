"""Use cases around executions: start, stop, look."""

from __future__ import annotations

from access import audit
from database.pool import Database
from jobservice import task_logs
from jobservice.domain.execution import Account, Execution, NewExecution, Pace
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.task import Task
from jobservice.errors import InvalidRequest, NotFound
from jobservice.store import executions as executions_store
from jobservice.store import outcomes as outcomes_store
from jobservice.store import progress as progress_store
from jobservice.store import stopping as stopping_store
from jobservice.store import tasks as tasks_store

# No index has the tasks of an execution by time: so many are sorted in no time.
SORT_LIMIT = 10_000


async def start(database: Database, new: NewExecution) -> int:
    """Record an execution with its plan and ring for it; return its id. Raise PolicyRunning."""
    async with database.transaction() as connection:
        return await executions_store.insert(connection, new)


async def stop(database: Database, execution_id: int, *, by: str = "") -> None:
    """Ask an execution to stop, and say who asks; nothing happens to one that ended.

    Raise NotFound.

    What has not started is stopped at once, what runs within two seconds.
    """
    async with database.transaction() as connection:
        requested = await stopping_store.request(connection, execution_id, by)
        if requested:
            entry = audit.Entry(event=audit.Event.STOP_EXECUTION, resource=str(execution_id))
            await audit.record(connection, entry)
    if requested is None:
        raise NotFound("execution", execution_id)
    if requested:
        # A transaction of its own: from here on the plan can add nothing. If we die in between,
        # the rescuer does this.
        await database.run(lambda c: stopping_store.stop_unstarted(c, execution_id))


async def get(database: Database, execution_id: int) -> Execution:
    """Return an execution; raise NotFound."""
    async with database.connection() as connection:
        execution = await executions_store.get(connection, execution_id)
    if execution is None:
        raise NotFound("execution", execution_id)
    return execution


async def account(database: Database, execution_id: int, *, examples: int = 10) -> Account:
    """Return what an execution took so far and what it left out; raise NotFound.

    All of one moment: what a task did is counted while it runs or when it has ended, not twice.
    """
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        execution = await executions_store.get(connection, execution_id)
        if execution is None:
            raise NotFound("execution", execution_id)
        effort = await executions_store.effort(connection, execution_id)
        running = await progress_store.running(connection, execution_id)
        return Account(
            effort=effort,
            pace=Pace.of(execution, effort, running),
            outcomes=await outcomes_store.of_execution(connection, execution_id, examples=examples),
        )


async def page(database: Database, listing: Listing) -> Rows[Execution]:
    """Return one page of executions; fields are named as in store.executions.COLUMNS."""
    async with database.connection() as connection:
        return await executions_store.page(connection, listing)


async def tasks_page(database: Database, execution_id: int, listing: Listing) -> Rows[Task]:
    """Return one page of an execution's tasks; fields as in store.tasks.COLUMNS.

    Raise NotFound, and InvalidRequest for an order that a large execution does not have.
    """
    execution = await get(database, execution_id)
    if execution.total > SORT_LIMIT and len(listing.keys) > len(("a field", "id")):
        raise InvalidRequest(
            [f"sort: an execution with more than {SORT_LIMIT} tasks shows them by one field only"]
        )
    async with database.connection() as connection:
        total: int | None = execution.total
        if listing.conditions:
            running = await tasks_store.running(connection, execution_id)
            total = execution.matching(listing.conditions, running=running)
        return await tasks_store.page(connection, execution_id, listing, total=total)


async def task(database: Database, execution_id: int, task_id: int) -> Task:
    """Return a task of an execution; raise NotFound."""
    async with database.connection() as connection:
        found = await tasks_store.get(connection, execution_id, task_id)
    if found is None:
        raise NotFound("task", task_id)
    return found


async def task_log(database: Database, execution_id: int, task_id: int) -> str:
    """Return a task's log, its end where it is long; raise NotFound.

    What the plan could not even make a transfer of has never run: its log is why.
    """
    found = await task(database, execution_id, task_id)
    return await task_logs.text(database, task_id) or _why(found)


def _why(found: Task) -> str:
    return "" if found.error is None else f"{found.error.message}\n"
