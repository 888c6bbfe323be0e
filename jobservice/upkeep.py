"""Jobs that keep the installation tidy: run by hand or by the one schedule each kind has.

A kind's parameters are a document, which a schedule and an execution keep as it was asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

from access import audit
from access.audit import Entry, Event
from database.pool import Connection, Database
from jobservice import executions, schedules, task_logs
from jobservice.domain.execution import Execution, NewExecution
from jobservice.domain.listing import Equals, Listing, Rows
from jobservice.domain.policy import TriggerKind
from jobservice.domain.schedule import Schedule, Timing, Vendor
from jobservice.domain.task import Task
from jobservice.errors import NotFound, ScheduleExists, StillUnderWay
from jobservice.store import executions as execution_rows
from jobservice.store import tasks as task_rows
from jobservice.store.schedules import NewSchedule

Parameters: TypeAlias = Mapping[str, Any]
# Raises PreconditionFailed where a run may not start at the moment.
Admission: TypeAlias = Callable[[Connection, Parameters], Awaitable[None]]


async def _at_any_time(_connection: Connection, _parameters: Parameters) -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class UpkeepRun:
    """One run: its execution, what it was to do, and its one task while that is kept."""

    execution: Execution
    parameters: Parameters
    task: Task | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """One kind; its vendor type is its job type's name, and a starter of its schedule."""

    vendor_type: str
    noun: str
    started: Event
    admit: Admission = _at_any_time

    @property
    def vendor(self) -> Vendor:
        """Whom its schedule belongs to."""
        return Vendor(type=self.vendor_type)

    async def begin(self, database: Database, parameters: Parameters, *, by: str) -> int:
        """Start a run by hand and return its execution's id; raise PreconditionFailed."""
        async with database.transaction() as connection:
            execution_id = await self._insert(connection, parameters, TriggerKind.MANUAL, by)
            entry = Entry(event=self.started, resource=str(execution_id), details=parameters)
            await audit.record(connection, entry)
        return execution_id

    async def start(self, connection: Connection, schedule: Schedule, fire_time: datetime) -> int:
        """Start a scheduled run in this transaction and return its execution's id.

        Raise StillUnderWay while one that waits to begin will do the same, or PreconditionFailed.
        """
        del fire_time
        waiting = await execution_rows.scheduled_and_waiting(connection, self.vendor_type)
        if waiting is not None:
            raise StillUnderWay(
                f"{self.noun} {waiting}, which this schedule started before, has not begun yet"
            )
        return await self._insert(
            connection, schedule.parameters, TriggerKind.SCHEDULED, "schedule"
        )

    async def schedule(
        self, database: Database, timing: Timing, parameters: Parameters, *, anew: bool = False
    ) -> None:
        """Set when runs start by themselves; with `anew` raise ScheduleExists where that is set."""
        new = NewSchedule(vendor=self.vendor, timing=timing, parameters=parameters)
        async with database.transaction() as connection:
            await schedules.lock(connection, self.vendor)
            if anew and await schedules.of_vendor(connection, self.vendor) is not None:
                raise ScheduleExists(self.noun)
            await schedules.put(connection, new)
            entry = Entry(
                event=Event.UPDATE_SCHEDULE,
                resource=self.vendor_type,
                details={"cron": timing.cron.text, **parameters},
            )
            await audit.record(connection, entry)

    async def unschedule(self, database: Database) -> None:
        """Let no run start by itself any more."""
        async with database.transaction() as connection:
            await schedules.remove(connection, self.vendor)
            entry = Entry(event=Event.DELETE_SCHEDULE, resource=self.vendor_type)
            await audit.record(connection, entry)

    async def scheduled(self, database: Database) -> Schedule | None:
        """Return when runs start by themselves; None where they do not."""
        async with database.connection() as connection:
            return await schedules.of_vendor(connection, self.vendor)

    async def page(self, database: Database, listing: Listing) -> Rows[UpkeepRun]:
        """Return one page of runs; fields are named as in store.executions.COLUMNS."""
        scope = Equals(field="vendor_type", value=self.vendor_type)
        scoped = replace(listing, conditions=(scope, *listing.conditions))
        async with database.connection() as connection:
            found = await execution_rows.page(connection, scoped)
            runs = await _runs(connection, found.items)
        return Rows(items=runs, total=found.total, before=found.before, after=found.after)

    async def get(self, database: Database, execution_id: int) -> UpkeepRun:
        """Return a run; raise NotFound, also for an execution that is none."""
        async with database.connection() as connection:
            found = await execution_rows.get(connection, execution_id)
            if found is None or found.vendor_type != self.vendor_type:
                raise NotFound(self.noun, execution_id)
            [run] = await _runs(connection, [found])
        return run

    async def stop(self, database: Database, execution_id: int, *, by: str) -> None:
        """Ask a run to stop; raise NotFound."""
        await self.get(database, execution_id)
        await executions.stop(database, execution_id, by=by)

    async def log(self, database: Database, execution_id: int) -> str:
        """Return what a run wrote down; raise NotFound."""
        run = await self.get(database, execution_id)
        return "" if run.task is None else await task_logs.text(database, run.task.id)

    async def _insert(
        self, connection: Connection, parameters: Parameters, trigger: TriggerKind, by: str
    ) -> int:
        await self.admit(connection, parameters)
        new = NewExecution(
            vendor_type=self.vendor_type,
            job_type=self.vendor_type,
            policy_id=None,
            trigger=trigger,
            snapshot=parameters,
            started_by=by,
        )
        return await execution_rows.insert(connection, new)


async def _runs(connection: Connection, found: Sequence[Execution]) -> tuple[UpkeepRun, ...]:
    identities = [one.id for one in found]
    told = await execution_rows.snapshots(connection, identities)
    plans = await task_rows.plans(connection, identities)
    return tuple(
        UpkeepRun(execution=one, parameters=told[one.id], task=plans.get(one.id)) for one in found
    )
