"""Keep the leases of this process's tasks, from a thread of its own.

A busy main loop must not lose leases, and a stuck one must not keep them: the thread beats only
while the main loop has ticked lately. A process whose main loop does not come back is ended: its
tasks are others' by then, and whoever supervises it starts another.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from database.pool import Database
from jobservice.holding import Holdings
from jobservice.maintenance import service
from jobservice.store import claiming, leader, workers

BEAT_SECONDS = 5.0
TICK_SECONDS = 1.0
STUCK_AFTER_SECONDS = 10.0
GIVE_UP_AFTER_SECONDS = 60.0
STUCK_EXIT_CODE = 1
JOIN_SECONDS = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often to beat, how long a beat holds, and how long a leader leads without renewing."""

    beat_seconds: float = BEAT_SECONDS
    lease_seconds: float = claiming.LEASE_SECONDS
    stuck_after_seconds: float = STUCK_AFTER_SECONDS
    give_up_after_seconds: float = GIVE_UP_AFTER_SECONDS
    leader_seconds: float = leader.LEASE_SECONDS


def _end_process() -> None:
    """End at once: a main loop that hangs runs no handler."""
    os._exit(STUCK_EXIT_CODE)


class Heartbeat:
    """The thread. `tick`, run by the main loop, proves that the main loop runs."""

    def __init__(
        self,
        dsn: str,
        *,
        worker_id: int,
        holdings: Holdings,
        rhythm: Rhythm | None = None,
        give_up: Callable[[], None] = _end_process,
    ) -> None:
        self._dsn = dsn
        self._worker_id = worker_id
        self._holdings = holdings
        self._rhythm = rhythm or Rhythm()
        self._give_up = give_up
        self._ticked_at = monotonic()
        self._main_loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._database: Database | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    async def tick(self) -> None:
        """Note that the main loop runs."""
        self._ticked_at = monotonic()

    def stop(self) -> None:
        """End the thread; blocks for the rest of a beat at most."""
        self._stop.set()
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        asyncio.run(self._beat_until_stopped())

    async def _beat_until_stopped(self) -> None:
        stop = asyncio.Event()
        beats = service.Service(
            name="heartbeat", seconds=self._rhythm.beat_seconds, tick=self._beat_if_alive
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(service.run(beats, stop))
            await asyncio.to_thread(self._stop.wait)
            stop.set()
        await self._close()

    async def _beat_if_alive(self) -> None:
        silence = monotonic() - self._ticked_at
        if silence > self._rhythm.stuck_after_seconds:
            log.error("main_loop_stuck", for_seconds=round(silence, 1))
            if silence > self._rhythm.give_up_after_seconds:
                log.critical("worker_given_up", worker=self._worker_id)
                self._give_up()
            return
        if self._database is None:
            self._database = await Database.connect(
                self._dsn, application_name="transship heartbeat", max_size=1
            )
        await self._beat(self._database)

    async def _close(self) -> None:
        if self._database is not None:
            await self._database.close()

    async def _beat(self, database: Database) -> None:
        held = self._holdings.keys()
        sent_at = monotonic()
        async with database.connection() as connection:
            await workers.beat(connection, self._worker_id)
            if not held:
                return
            renewed = await claiming.renew(
                connection, held, lease_seconds=self._rhythm.lease_seconds
            )
        until = sent_at + self._rhythm.lease_seconds
        self._main_loop.call_soon_threadsafe(self._holdings.renewed, held, renewed, until)
