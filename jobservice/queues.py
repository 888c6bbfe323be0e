"""Use cases around queues and workers: what waits by job type, who works, hold back, let go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Database
from jobservice import pauses
from jobservice.domain.pause import Held, Pause, PauseScope
from jobservice.errors import NotFound
from jobservice.jobs import catalogue
from jobservice.store import queues as rows
from jobservice.store import workers as worker_rows
from jobservice.store.queues import Queue
from jobservice.store.workers import Slot, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """What waits, and every pause."""

    queues: Sequence[Queue]
    pauses: Sequence[Pause]

    def pause_of(self, job_type: str) -> Pause | None:
        """Return what holds back a whole job type."""
        held = {
            Held(scope=PauseScope.EVERYTHING),
            Held(scope=PauseScope.JOB_TYPE, key=job_type),
        }
        return next((pause for pause in self.pauses if pause.held in held), None)

    def pause_of_schedules(self) -> Pause | None:
        """Return what holds back all schedules."""
        held = {Held(scope=PauseScope.EVERYTHING), Held(scope=PauseScope.SCHEDULES)}
        return next((pause for pause in self.pauses if pause.held in held), None)


async def listed(database: Database) -> Queues:
    """Return all queues."""
    async with database.connection() as connection:
        found = await rows.listed(connection, sorted(catalogue.KNOWN))
    return Queues(queues=found, pauses=await pauses.page(database))


async def want_type(database: Database, job_type: str) -> None:
    """Raise NotFound for a job type that nobody knows and nothing waits of."""
    found = await listed(database)
    if job_type not in {queue.job_type for queue in found.queues}:
        raise NotFound("job type", job_type)


async def pause_type(database: Database, job_type: str, *, by: str, comment: str = "") -> bool:
    """Hold a job type back; raise NotFound, InvalidRequest."""
    await want_type(database, job_type)
    held = Held(scope=PauseScope.JOB_TYPE, key=job_type)
    return await pauses.pause(database, held, by=by, comment=comment)


async def resume_everything(database: Database) -> None:
    """Let every job type go on, however it was held back; other pauses stand."""
    await pauses.resume(database, Held(scope=PauseScope.EVERYTHING))
    await pauses.resume_job_types(database)


async def workers(database: Database) -> tuple[Worker, ...]:
    """Return the workers that live."""
    async with database.connection() as connection:
        return await worker_rows.listed(connection)


async def slots(database: Database) -> tuple[Slot, ...]:
    """Return what runs where."""
    async with database.connection() as connection:
        return await worker_rows.running(connection)
