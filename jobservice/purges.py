"""Purges of the audit log: started by hand or by their schedule, looked at and stopped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from access import audit
from access.audit import Entry, Event
from database.pool import Connection, Database
from jobservice import executions, schedules, task_logs
from jobservice.domain.execution import Execution, NewExecution
from jobservice.domain.listing import Equals, Listing, Rows
from jobservice.domain.policy import TriggerKind
from jobservice.domain.purge import VENDOR_TYPE, PurgeParameters
from jobservice.domain.schedule import Schedule, Timing, Vendor
from jobservice.errors import NotFound, StillUnderWay
from jobservice.store import executions as execution_rows
from jobservice.store import tasks as task_rows
from jobservice.store.schedules import NewSchedule

VENDOR = Vendor(type=VENDOR_TYPE)


async def start(database: Database, parameters: PurgeParameters, *, by: str) -> int:
    """Start a purge and return its execution's id."""
    async with database.transaction() as connection:
        execution_id = await _start(connection, parameters, TriggerKind.MANUAL, by)
        entry = Entry(
            event=Event.START_PURGE, resource=str(execution_id), details=parameters.to_json()
        )
        await audit.record(connection, entry)
    return execution_id


async def schedule(database: Database, timing: Timing | None, parameters: PurgeParameters) -> None:
    """Set when purges run by themselves, or with None that they do not."""
    async with database.transaction() as connection:
        if timing is None:
            await schedules.remove(connection, VENDOR)
            entry = Entry(event=Event.DELETE_SCHEDULE, resource=VENDOR_TYPE)
        else:
            new = NewSchedule(vendor=VENDOR, timing=timing, parameters=parameters.to_json())
            await schedules.put(connection, new)
            entry = Entry(
                event=Event.UPDATE_SCHEDULE,
                resource=VENDOR_TYPE,
                details={"cron": timing.cron.text, **parameters.to_json()},
            )
        await audit.record(connection, entry)


async def scheduled(database: Database) -> Schedule | None:
    """Return when purges run by themselves; None where they do not."""
    async with database.connection() as connection:
        return await schedules.of_vendor(connection, VENDOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurgeRun:
    """A purge: its execution and what it was to do."""

    execution: Execution
    parameters: PurgeParameters


async def page(database: Database, listing: Listing) -> Rows[PurgeRun]:
    """Return one page of purges; fields are named as in store.executions.COLUMNS."""
    scope = Equals(field="vendor_type", value=VENDOR_TYPE)
    scoped = replace(listing, conditions=(scope, *listing.conditions))
    async with database.connection() as connection:
        found = await execution_rows.page(connection, scoped)
        told = await execution_rows.snapshots(connection, [one.id for one in found.items])
    return Rows(
        items=tuple(
            PurgeRun(execution=one, parameters=PurgeParameters.of(told[one.id]))
            for one in found.items
        ),
        total=found.total,
        before=found.before,
        after=found.after,
    )


async def get(database: Database, execution_id: int) -> PurgeRun:
    """Return a purge; raise NotFound, also for an execution that is none."""
    async with database.connection() as connection:
        found = await execution_rows.get(connection, execution_id)
        if found is None or found.vendor_type != VENDOR_TYPE:
            raise NotFound("purge", execution_id)
        told = await execution_rows.snapshots(connection, [execution_id])
    return PurgeRun(execution=found, parameters=PurgeParameters.of(told[execution_id]))


async def stop(database: Database, execution_id: int, *, by: str) -> None:
    """Ask a purge to stop; raise NotFound."""
    await get(database, execution_id)
    await executions.stop(database, execution_id, by=by)


async def log(database: Database, execution_id: int) -> str:
    """Return what a purge wrote down; raise NotFound."""
    await get(database, execution_id)
    async with database.connection() as connection:
        task_id = await task_rows.plan_of(connection, execution_id)
    return "" if task_id is None else await task_logs.text(database, task_id)


class ScheduledPurges:
    """What the schedule of purges starts."""

    async def start(self, connection: Connection, schedule: Schedule, fire_time: datetime) -> int:
        """Start a purge in this transaction and return the execution's id.

        Raise StillUnderWay while one that waits to begin will do the same.
        """
        del fire_time
        waiting = await execution_rows.scheduled_and_waiting(connection, VENDOR_TYPE)
        if waiting is not None:
            raise StillUnderWay(
                f"purge {waiting}, which this schedule started before, has not begun yet"
            )
        parameters = PurgeParameters.of(schedule.parameters)
        return await _start(connection, parameters, TriggerKind.SCHEDULED, "schedule")


async def _start(
    connection: Connection, parameters: PurgeParameters, trigger: TriggerKind, by: str
) -> int:
    new = NewExecution(
        vendor_type=VENDOR_TYPE,
        job_type=VENDOR_TYPE,
        policy_id=None,
        trigger=trigger,
        snapshot=parameters.to_json(),
        started_by=by,
    )
    return await execution_rows.insert(connection, new)
