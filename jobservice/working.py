"""A worker's life: register, take and run tasks, keep house, give everything back, leave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import TypeAlias

import structlog

from database.pool import Database
from jobservice import queue
from jobservice.claimer import Claimer
from jobservice.errors import NotLeading
from jobservice.holding import Holdings
from jobservice.jobs.base import JobType
from jobservice.maintenance import service
from jobservice.maintenance.dispatch_bell import DispatchBell
from jobservice.maintenance.dispatcher import POLL_SECONDS, Dispatcher
from jobservice.maintenance.flusher import FLUSH_SECONDS, Flusher
from jobservice.maintenance.heartbeat import TICK_SECONDS, Heartbeat, Rhythm
from jobservice.maintenance.leader import RENEWALS_PER_LEASE, Leader
from jobservice.maintenance.rescuer import RESCUE_SECONDS, Rescuer
from jobservice.maintenance.service import Service
from jobservice.maintenance.stop_watch import WATCH_SECONDS, StopWatch
from jobservice.queue import TaskQueue
from jobservice.runner import Desk, Runner
from jobservice.settler import Settler
from jobservice.store import workers as workers_store
from jobservice.store.claiming import Claimant
from jobservice.store.executions import DISPATCH_CHANNEL
from jobservice.store.stopping import STOP_CHANNEL
from jobservice.store.workers import NewWorker
from jobservice.worker import WorkerGroup

GRACE_SECONDS = 20.0
BELL_SECONDS = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a worker process is told. `slots` counts tasks at once by queue."""

    postgres_dsn: str = field(repr=False)
    redis_dsn: str = field(repr=False)
    slots: Mapping[str, int]
    zone: str | None = None
    rhythm: Rhythm = field(default_factory=Rhythm)


Chores: TypeAlias = Callable[[Database], tuple[Service, ...]]


def _none(_database: Database) -> tuple[Service, ...]:
    return ()


async def work(
    setup: Setup,
    database: Database,
    job_types: Mapping[str, JobType],
    *,
    stop: asyncio.Event,
    chores: Chores = _none,
) -> None:
    """Work until `stop` is set; running tasks are given back then, without a spent attempt.

    `chores` are services of which one process at a time takes care: the leader. They are built with
    the leader's database, which lets nobody write who was replaced. Raise DatabaseUnavailable at
    the start.
    """
    async with _registered(setup, database, job_types) as worker_id:
        await _Worker(setup, database, job_types, worker_id, chores).run(stop)


@contextlib.asynccontextmanager
async def _registered(
    setup: Setup, database: Database, job_types: Mapping[str, JobType]
) -> AsyncIterator[int]:
    new = NewWorker(
        host=socket.gethostname(),
        pid=os.getpid(),
        version=metadata.version("transship"),
        zone=setup.zone,
        job_types=sorted(job_types),
        slots=setup.slots,
    )
    async with database.connection() as connection:
        worker_id = await workers_store.register(connection, new)
    log.info("worker_started", worker=worker_id, slots=dict(setup.slots), zone=setup.zone)
    try:
        yield worker_id
    finally:
        async with database.connection() as connection:
            await workers_store.leave(connection, worker_id)
        log.info("worker_ended", worker=worker_id)


class _Worker:
    """The parts of one worker process, wired."""

    def __init__(
        self,
        setup: Setup,
        database: Database,
        job_types: Mapping[str, JobType],
        worker_id: int,
        chores: Chores,
    ) -> None:
        self._database = database
        self._limits = {
            name: one.concurrency for name, one in job_types.items() if one.concurrency is not None
        }
        self._redis = queue.connect(setup.redis_dsn)
        self._holdings = Holdings()
        self._leader = Leader(database, worker_id, lease_seconds=setup.rhythm.leader_seconds)
        self._chores = chores(self._leader.database)
        self._renew_seconds = setup.rhythm.leader_seconds / RENEWALS_PER_LEASE
        self._dispatch = asyncio.Event()
        self._stop_requested = asyncio.Event()
        self._bell = DispatchBell(database, self._leader, self._dispatch)
        self._heartbeat = Heartbeat(
            setup.postgres_dsn,
            worker_id=worker_id,
            holdings=self._holdings,
            rhythm=setup.rhythm,
        )
        claimant = Claimant(
            worker_id=worker_id,
            host=socket.gethostname(),
            job_types=sorted(job_types),
            lease_seconds=setup.rhythm.lease_seconds,
        )
        self._claimer = Claimer(database, claimant)
        self._settler = Settler(database, worker_id=worker_id)
        self._runner = Runner(
            Desk(database=database, claimer=self._claimer, settler=self._settler),
            job_types=job_types,
            holdings=self._holdings,
            on_settled=self._bell.settled,
        )
        self._group = WorkerGroup(
            self._redis, zone=setup.zone, slots=setup.slots, run_task=self._runner.run_task
        )

    async def run(self, stop: asyncio.Event) -> None:
        idle = asyncio.Event()
        self._heartbeat.start()
        try:
            async with asyncio.TaskGroup() as group:
                for one in (*self._services(), *map(self._while_leading, self._chores)):
                    group.create_task(service.run(one, idle), name=one.name)
                helpers = [
                    group.create_task(self._claimer.run(), name="claimer"),
                    group.create_task(self._settler.run(), name="settler"),
                    group.create_task(self._listen(DISPATCH_CHANNEL, self._dispatch)),
                    group.create_task(self._listen(STOP_CHANNEL, self._stop_requested)),
                    *(
                        group.create_task(self._listen(chore.channel, chore.wake))
                        for chore in self._chores
                        if chore.channel
                    ),
                ]
                working = group.create_task(self._group.run(), name="queues")
                await stop.wait()
                await self._drain(working)
                idle.set()
                for helper in helpers:
                    helper.cancel()
            await self._leader.resign()
        finally:
            await asyncio.to_thread(self._heartbeat.stop)
            await queue.close(self._redis)

    async def _drain(self, working: asyncio.Task[None]) -> None:
        self._runner.drain()
        self._group.drain()
        done, _ = await asyncio.wait({working}, timeout=GRACE_SECONDS)
        if not done:
            log.warning("tasks_left_to_the_rescuer", count=len(self._holdings))
            working.cancel()

    def _services(self) -> tuple[Service, ...]:
        tasks = TaskQueue(self._redis)
        dispatcher = Dispatcher(self._database, tasks, self._leader, self._limits)
        rescuer = Rescuer(self._leader.database, self._leader, self._dispatch)
        flusher = Flusher(self._database, self._holdings)
        watch = StopWatch(self._database, self._holdings)
        return (
            Service(name="leader", seconds=self._renew_seconds, tick=self._lead),
            Service(
                name="dispatcher", seconds=POLL_SECONDS, tick=dispatcher.tick, wake=self._dispatch
            ),
            self._while_leading(Service(name="rescuer", seconds=RESCUE_SECONDS, tick=rescuer.tick)),
            Service(
                name="stop_watch",
                seconds=WATCH_SECONDS,
                tick=watch.tick,
                wake=self._stop_requested,
            ),
            Service(name="flusher", seconds=FLUSH_SECONDS, tick=flusher.tick),
            Service(name="pulse", seconds=TICK_SECONDS, tick=self._heartbeat.tick),
            Service(name="bell", seconds=BELL_SECONDS, tick=self._bell.tick, wake=self._bell.wake),
        )

    def _while_leading(self, chore: Service) -> Service:
        async def tick() -> None:
            if self._leader.leadership is None:
                return
            try:
                await chore.tick()
            except* NotLeading:
                log.info("leader_replaced", service=chore.name)

        return replace(chore, tick=tick)

    async def _lead(self) -> None:
        had = self._leader.leadership
        await self._leader.tick()
        if had is None and self._leader.leadership is not None:
            self._dispatch.set()
            for chore in self._chores:
                chore.wake.set()

    async def _listen(self, channel: str, event: asyncio.Event) -> None:
        await self._database.listen(channel, lambda _channel, _payload: event.set())
