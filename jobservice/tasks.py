"""Use cases around tasks of whatever execution: look, stop, let try again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace

from access import audit
from access.audit import Event
from database.pool import Connection, Database
from jobservice.coordination import RateLimits
from jobservice.domain import explaining
from jobservice.domain.explaining import EndpointFacts, Finding
from jobservice.domain.listing import Listing, Rows
from jobservice.domain.task import Task
from jobservice.errors import CannotRetry, InvalidRequest, NotFound, PreconditionFailed
from jobservice.jobs import catalogue
from jobservice.store import executions as executions_store
from jobservice.store import explaining as explaining_store
from jobservice.store import retrying as retrying_store
from jobservice.store import stopping as stopping_store
from jobservice.store import tasks as tasks_store
from jobservice.store.explaining import TypeRules
from jobservice.store.retrying import Matching

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What a wish to stop came to: ended at once, and told, to end within two seconds."""

    stopped: int = 0
    told: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What a wish to retry came to. `refused` tasks stay as they are; `reasons` say why."""

    retried: int = 0
    refused: int = 0
    reasons: tuple[str, ...] = ()


async def page(database: Database, listing: Listing) -> Rows[Task]:
    """Return one page of the tasks of all executions; fields as in store.tasks.ALL_COLUMNS.

    Raise InvalidRequest for an order that no index has.
    """
    if any(order.field != "id" for order in listing.order):
        raise InvalidRequest(
            ["sort: tasks of all executions are shown by id; ask for those of one execution"]
        )
    async with database.connection() as connection:
        return await tasks_store.page_of_all(connection, listing)


async def get(database: Database, task_id: int) -> Task:
    """Return a task; raise NotFound."""
    async with database.connection() as connection:
        found = await tasks_store.find(connection, task_id)
    if found is None:
        raise NotFound("task", task_id)
    return found


async def explain(
    database: Database,
    task_id: int,
    *,
    redis_problem: str = "",
    rates: RateLimits | None = None,
) -> tuple[Finding, ...]:
    """Return why a task is where it is; raise NotFound. `rates` know what registries are asked."""
    rules = {
        name: TypeRules(attempts=one.retry.attempts, concurrency=one.concurrency)
        for name, one in catalogue.KNOWN.items()
    }
    async with database.transaction(isolation="repeatable_read", readonly=True) as connection:
        facts = await explaining_store.facts(
            connection, task_id, rules, redis_problem=redis_problem
        )
    if facts is None:
        raise NotFound("task", task_id)
    if rates is not None:
        facts = replace(facts, endpoints=await _with_ahead(facts.endpoints, rates))
    return explaining.explain(facts)


async def _with_ahead(
    endpoints: Sequence[EndpointFacts], rates: RateLimits
) -> Sequence[EndpointFacts]:
    """Add how far requests are taken in advance, where registries have a rate and Redis answers."""
    limited = [one.state.endpoint_id for one in endpoints if one.state.requests_per_second]
    ahead = await rates.ahead(limited)
    if not ahead:
        return endpoints
    return [replace(one, ahead_seconds=ahead.get(one.state.endpoint_id, 0.0)) for one in endpoints]


async def stop(database: Database, task_id: int, *, by: str) -> Stopped:
    """Stop one task; nothing happens to one that ended. Raise NotFound."""
    await get(database, task_id)

    async def work(connection: Connection) -> Stopped:
        stopped, told = await stopping_store.stop_tasks(connection, [task_id], by=by)
        if stopped or told:
            entry = audit.Entry(event=Event.STOP_TASK, resource=str(task_id))
            await audit.record(connection, entry)
        return Stopped(stopped=stopped, told=told)

    return await database.run(work)


async def stop_type(database: Database, job_type: str, *, by: str, running: bool) -> Stopped:
    """Stop what waits of a type, empty for every type, and what runs of it if `running`."""

    async def some(connection: Connection) -> list[int]:
        return await stopping_store.unfinished_of_type(
            connection, job_type, limit=BATCH, running=running
        )

    return await _stop_all(database, some, by=by, resource=job_type or "all")


async def stop_running(database: Database, *, by: str) -> Stopped:
    """Stop everything that runs."""

    async def some(connection: Connection) -> list[int]:
        return await stopping_store.running(connection, limit=BATCH)

    return await _stop_all(database, some, by=by, resource="everything that runs")


async def _stop_all(
    database: Database,
    some: Callable[[Connection], Awaitable[list[int]]],
    *,
    by: str,
    resource: str,
) -> Stopped:
    """Stop a batch at a time, each its own transaction, until `some` finds no more."""
    total = Stopped()
    while True:
        async with database.connection() as connection:
            ids = await some(connection)
        if not ids:
            break
        stopped, told = await database.run(
            lambda c, ids=ids: stopping_store.stop_tasks(c, ids, by=by)  # type: ignore[misc]
        )
        total = Stopped(stopped=total.stopped + stopped, told=total.told + told)
    entry = audit.Entry(
        event=Event.STOP_QUEUE,
        resource=resource,
        details={"stopped": total.stopped, "told": total.told},
    )
    async with database.transaction() as connection:
        await audit.record(connection, entry)
    return total


async def retry(database: Database, task_id: int, *, by: str) -> None:
    """Let one task that failed or was stopped try again.

    Raise NotFound, and PreconditionFailed where it has not ended like that or may not now.
    """
    found = await get(database, task_id)

    async def work(connection: Connection) -> int:
        retried = await retrying_store.retry(connection, [task_id], by=by)
        if retried:
            entry = audit.Entry(event=Event.RETRY_TASK, resource=str(task_id))
            await audit.record(connection, entry)
        return retried

    if not await database.run(work):
        raise PreconditionFailed(
            f"task {task_id} is {found.status.value}; only what failed or was stopped is retried,"
            " and not while its execution is still being stopped"
        )


async def retry_execution(database: Database, execution_id: int, *, by: str) -> Retried:
    """Let the failed tasks of an execution try again; raise NotFound."""
    async with database.connection() as connection:
        if await executions_store.get(connection, execution_id) is None:
            raise NotFound("execution", execution_id)
    wanted = Matching(execution_id=execution_id)
    entry = audit.Entry(event=Event.RETRY_EXECUTION, resource=str(execution_id))
    return await _retry_all(database, wanted, entry, by=by)


async def retry_matching(database: Database, wanted: Matching, *, by: str) -> Retried:
    """Let all tasks that match try again, an execution at a time."""
    asked = {name: value for name, value in asdict(wanted).items() if value is not None}
    entry = audit.Entry(event=Event.RETRY_QUEUE, resource=wanted.job_type or "all", details=asked)
    return await _retry_all(database, wanted, entry, by=by)


async def _retry_all(
    database: Database, wanted: Matching, entry: audit.Entry, *, by: str
) -> Retried:
    """Go through everything once; what fails again meanwhile is not retried for ever."""
    total = Retried()
    after = (0, 0)
    while True:
        async with database.connection() as connection:
            found = await retrying_store.matching(connection, wanted, after=after, limit=BATCH)
        if not found:
            break
        for execution_id, ids in found:
            total = _sum(total, await _retry_some(database, execution_id, ids, by=by))
            after = (execution_id, ids[-1])
    if total.retried:
        async with database.transaction() as connection:
            await audit.record(connection, entry)
    return total


async def _retry_some(database: Database, execution_id: int, ids: list[int], *, by: str) -> Retried:
    try:
        retried = await database.run(lambda c: retrying_store.retry(c, ids, by=by))
    except CannotRetry as error:
        return Retried(refused=len(ids), reasons=(f"execution {execution_id}: {error}",))
    refused = len(ids) - retried
    reason = (f"execution {execution_id}: it is still being stopped",) if refused else ()
    return Retried(retried=retried, refused=refused, reasons=reason)


def _sum(total: Retried, more: Retried) -> Retried:
    return Retried(
        retried=total.retried + more.retried,
        refused=total.refused + more.refused,
        reasons=(*total.reasons, *more.reasons)[:100],
    )
