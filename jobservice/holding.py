"""The tasks that this process holds, each with its lease as far as we know it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from enum import Enum, auto
from time import monotonic

from database.errors import DatabaseUnavailable
from database.pool import Database
from jobservice import logging as service_logging
from jobservice.domain.task import Claimed, Progress
from jobservice.errors import LeaseLost
from jobservice.store import claiming
from jobservice.store.progress import Reading
from jobservice.task_log import TaskLog

SPARE_SECONDS = 5.0


class Ending(Enum):
    """Why a running job is cancelled."""

    STOPPED = auto()
    LEASE_LOST = auto()
    SHUTDOWN = auto()


class Holding:
    """One claimed task; implements jobs.base.Run.

    The lease is counted from before the request that renewed it was sent, by the monotonic clock:
    it never seems to hold longer than Postgres thinks.
    """

    def __init__(
        self,
        task: Claimed,
        *,
        database: Database,
        lease_until: float,
        lease_seconds: float = claiming.LEASE_SECONDS,
    ) -> None:
        self.task = task
        self.progress = Progress()
        self.log = TaskLog(task_id=task.id, fence=task.fence)
        self.ending: Ending | None = None
        self.lease_until = lease_until
        self._database = database
        self._lease_seconds = lease_seconds
        self._runner: asyncio.Task[object] | None = None
        self._is_cancelled = False

    @property
    def key(self) -> tuple[int, int]:
        """Task id and fence."""
        return self.task.id, self.task.fence

    @contextlib.asynccontextmanager
    async def cancellable(self) -> AsyncIterator[None]:
        """Let `end` cancel what runs inside; the CancelledError of `end` does not get out."""
        self._runner = asyncio.current_task()
        if self.ending is not None:
            self._cancel()
        try:
            yield
            if self._is_cancelled:
                await asyncio.sleep(0)  # the cancellation came too late: take it here
        except asyncio.CancelledError:
            runner, self._runner = self._runner, None
            if not self._is_cancelled or runner is None or runner.uncancel() > 0:
                raise
        finally:
            self._runner = None

    def end(self, ending: Ending) -> None:
        """Cancel the job; the first reason stands, except that a lost lease outdoes any other."""
        if self.ending is None or ending is Ending.LEASE_LOST:
            self.ending = ending
        self._cancel()

    def _cancel(self) -> None:
        if self._runner is not None and not self._is_cancelled:
            self._is_cancelled = True
            self._runner.cancel()

    def note(self, event: str, **facts: object) -> None:
        """Add a line to the task's log alone, not to the process's."""
        now = f"{datetime.now(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
        self.log.write(
            service_logging.redact(
                None, "info", {"timestamp": now, "level": "info", "event": event, **facts}
            )
        )

    def show(self, text: str) -> None:
        """Add a line to the task's log as it is, without secrets."""
        self.log.show(service_logging.redact_text(text))

    async def confirm(self) -> None:
        """Return while the lease holds with time to spare, else ask Postgres.

        Raise LeaseLost, or what Postgres failures are raised as: never OSError (protocol.fence).
        """
        if self.ending is not Ending.LEASE_LOST and self.lease_until - monotonic() > SPARE_SECONDS:
            return
        asked_at = monotonic()
        try:
            async with self._database.connection() as connection:
                renewed = await claiming.renew(
                    connection, [self.key], lease_seconds=self._lease_seconds
                )
        except OSError as error:
            raise DatabaseUnavailable(f"Postgres did not say whose task it is: {error}") from error
        if not renewed:
            self.end(Ending.LEASE_LOST)
            raise LeaseLost(self.task.id)
        self.lease_until = asked_at + self._lease_seconds


class Holdings:
    """All tasks of the process, by id."""

    def __init__(self) -> None:
        self._held: dict[int, Holding] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Holding]:
        return iter(list(self._held.values()))

    @contextlib.contextmanager
    def holding(self, holding: Holding) -> Iterator[None]:
        """Count a task as held inside."""
        self._held[holding.task.id] = holding
        try:
            yield
        finally:
            if self._held.get(holding.task.id) is holding:
                del self._held[holding.task.id]
            self._changed.set()

    def keys(self) -> list[tuple[int, int]]:
        """Return (task id, fence) of everything held; may be called from another thread."""
        return [holding.key for holding in list(self._held.values())]

    def renewed(
        self, asked: Iterable[tuple[int, int]], answer: Iterable[claiming.Renewed], until: float
    ) -> None:
        """Take in what a heartbeat brought: longer leases, stop requests, losses."""
        alive = {(one.task_id, one.fence): one for one in answer}
        for key in asked:
            holding = self._held.get(key[0])
            if holding is None or holding.key != key:
                continue
            renewed = alive.get(key)
            if renewed is None:
                holding.end(Ending.LEASE_LOST)
                continue
            holding.lease_until = until
            if renewed.stop_requested:
                holding.end(Ending.STOPPED)

    def stop(self, task_ids: Iterable[int]) -> None:
        """Cancel these tasks because somebody asked for it."""
        for task_id in task_ids:
            if holding := self._held.get(task_id):
                holding.end(Ending.STOPPED)

    def shut_down(self) -> None:
        """Cancel everything, to be given back."""
        for holding in self:
            holding.end(Ending.SHUTDOWN)

    def readings(self) -> list[Reading]:
        """Return the progress of everything held."""
        return [
            Reading(task_id=holding.task.id, fence=holding.task.fence, progress=holding.progress)
            for holding in self
        ]

    async def empty(self) -> None:
        """Return when nothing is held."""
        while self._held:
            self._changed.clear()
            await self._changed.wait()
