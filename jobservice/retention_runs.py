"""Runs of retention policies: started by hand, looked at, stopped, approved or rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from access import audit
from access.audit import Entry, Event
from database.pool import Connection, Database
from jobservice import executions, retention_starts, task_logs
from jobservice.domain.execution import Execution
from jobservice.domain.listing import Equals, Listing, Rows
from jobservice.domain.retention import VENDOR_TYPE, Approval, RetentionRun, RetentionSnapshot
from jobservice.domain.task import Task
from jobservice.errors import NotFound, NothingToAnswer
from jobservice.store import executions as execution_rows
from jobservice.store import retention_runs as rows
from jobservice.store import tasks as task_rows
from jobservice.store.retention_runs import Sum

WHAT = "retention execution"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A run: its execution, what it follows, and what it decided if it is guarded.

    Only of a run that is asked for alone: the `sum` of what it did, and `remarks` about its rules.
    """

    execution: Execution
    snapshot: RetentionSnapshot
    decided: RetentionRun | None
    sum: Sum | None = None
    remarks: tuple[str, ...] = ()


async def start(database: Database, policy_id: int, *, dry_run: bool, by: str) -> int:
    """Start a run by hand and return its execution's id; raise NotFound."""
    async with database.transaction() as connection:
        return await retention_starts.by_hand(connection, policy_id, dry_run=dry_run, by=by)


async def page(database: Database, policy_id: int, listing: Listing) -> Rows[View]:
    """Return one page of a policy's runs; fields are named as in store.executions.COLUMNS."""
    scope = (
        Equals(field="vendor_type", value=VENDOR_TYPE),
        Equals(field="vendor_id", value=policy_id),
    )
    scoped = replace(listing, conditions=(*scope, *listing.conditions))
    async with database.connection() as connection:
        found = await execution_rows.page(connection, scoped)
        items = await _views(connection, found.items)
    return Rows(items=items, total=found.total, before=found.before, after=found.after)


async def get(database: Database, policy_id: int, execution_id: int) -> View:
    """Return a run with what its tasks came to and its rules met; raise NotFound."""
    async with database.connection() as connection:
        found = await execution_rows.get(connection, execution_id)
        if found is None or (found.vendor_type, found.vendor_id) != (VENDOR_TYPE, policy_id):
            raise NotFound(WHAT, execution_id)
        [view] = await _views(connection, [found])
        done = await rows.sum_of(connection, execution_id)
        met = None
        if found.ended_at is not None:
            met = await rows.coverage(connection, execution_id, view.snapshot.rules.names)
        return replace(view, sum=done, remarks=tuple(met.remarks()) if met else ())


async def stop(database: Database, policy_id: int, execution_id: int, *, by: str) -> None:
    """Ask a run to stop; what it deleted stays deleted. Raise NotFound."""
    await get(database, policy_id, execution_id)
    await executions.stop(database, execution_id, by=by)


async def approve(database: Database, policy_id: int, execution_id: int, *, by: str) -> None:
    """Let a run that asked delete what it decided; raise NotFound, NothingToAnswer."""
    view = await get(database, policy_id, execution_id)
    await _answer(database, view, Approval.APPROVED, Event.APPROVE_RETENTION, by=by)


async def reject(database: Database, policy_id: int, execution_id: int, *, by: str) -> None:
    """End a run that asked without deleting anything; raise NotFound, NothingToAnswer."""
    view = await get(database, policy_id, execution_id)
    await _answer(database, view, Approval.REJECTED, Event.REJECT_RETENTION, by=by)
    await executions.stop(database, execution_id, by=by)


async def _answer(
    database: Database, view: View, approval: Approval, event: Event, *, by: str
) -> None:
    execution_id = view.execution.id

    async def work(connection: Connection) -> None:
        if not await rows.answer(connection, execution_id, approval, by=by):
            raise NothingToAnswer(
                f"execution {execution_id} waits for nobody's approval: it is {_what(view)}"
            )
        details = {"retention_id": view.snapshot.policy_id, "place": view.snapshot.place}
        entry = Entry(event=event, resource=str(execution_id), details=details)
        await audit.record(connection, entry)

    await database.run(work)


def _what(view: View) -> str:
    """Say what a run is that waits for nobody."""
    if view.decided is not None and view.decided.approval not in {None, Approval.WAITING}:
        return str(view.decided.approval)
    return view.execution.status.value


async def tasks_page(
    database: Database, policy_id: int, execution_id: int, listing: Listing
) -> Rows[Task]:
    """Return one page of a run's tasks, one for each repository; raise NotFound."""
    await get(database, policy_id, execution_id)
    return await executions.tasks_page(database, execution_id, listing)


async def task_log(database: Database, policy_id: int, execution_id: int, task_id: int) -> str:
    """Return what a task decided, artifact by artifact; raise NotFound."""
    await get(database, policy_id, execution_id)
    return await executions.task_log(database, execution_id, task_id)


async def log(database: Database, policy_id: int, execution_id: int) -> str:
    """Return what a run's plan wrote down; raise NotFound."""
    await get(database, policy_id, execution_id)
    async with database.connection() as connection:
        plan = (await task_rows.plans(connection, [execution_id])).get(execution_id)
    return "" if plan is None else await task_logs.text(database, plan.id)


async def _views(connection: Connection, found: Sequence[Execution]) -> tuple[View, ...]:
    ids = [one.id for one in found]
    told = await execution_rows.snapshots(connection, ids)
    decided = await rows.of_executions(connection, ids)
    return tuple(
        View(
            execution=one,
            snapshot=RetentionSnapshot.from_json(told[one.id]),
            decided=decided.get(one.id),
        )
        for one in found
    )
