"""Forget old history, a little at a time, so that nobody waits for it and no list grows for ever.

Two sweepers at a time do no harm: each takes what the other does not hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from database.pool import Database
from jobservice.maintenance.service import Service
from jobservice.store import sweeping
from jobservice.store.sweeping import Forgotten, Keep

SWEEP_SECONDS = 60.0
# A round ends after so long, also when more is left: others want the leader's loop and Postgres.
ROUND_SECONDS = 20.0
# Between two batches, a part of the time that the first one took.
BREATH = 0.25
MEASURE_LOGS_SECONDS = 3600.0

log = structlog.get_logger(__name__)


class Sweeper:
    """The leader's sweeper; `tick` does one round."""

    def __init__(
        self, database: Database, keep: Keep, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock
        self._measure_at = 0.0

    async def tick(self) -> None:
        """Forget what is too old or too much, for some seconds at most."""
        until = self._clock() + ROUND_SECONDS
        executions = await self._sweep_executions(until)
        chunks = await self._sweep_logs(until)
        async with self._database.connection() as connection:
            await sweeping.forget_workers(connection)
        if executions or chunks:
            log.info("history_swept", executions=executions, log_chunks=chunks)

    async def _sweep_executions(self, until: float) -> int:
        """Forget executions; one that somebody holds is left for the next round."""
        count = 0
        while self._clock() < until:
            async with self._database.connection() as connection:
                doomed = await sweeping.doomed(connection, self._keep)
            gone = [one for one in doomed if await self._sweep(one, until)]
            count += len(gone)
            if len(gone) < sweeping.EXECUTIONS_AT_ONCE:
                break
        return count

    async def _sweep(self, execution_id: int, until: float) -> bool:
        """Forget one execution, batch by batch; False if it, or a part of it, is left."""
        while (started := self._clock()) < until:
            forgotten = await self._database.run(lambda c: sweeping.forget(c, execution_id))
            if forgotten is not Forgotten.PARTLY:
                return forgotten is Forgotten.GONE
            await asyncio.sleep((self._clock() - started) * BREATH)
        return False

    async def _sweep_logs(self, until: float) -> int:
        count = 0
        if self._keep.log_days:
            count += await self._forget_logs(until, days=self._keep.log_days)
        if self._keep.log_bytes and self._clock() >= self._measure_at:
            async with self._database.connection() as connection:
                excess = await sweeping.log_bytes(connection) - self._keep.log_bytes
            if excess > 0:
                count += await self._forget_logs(until, days=0, enough_bytes=excess)
            self._measure_at = self._clock() + MEASURE_LOGS_SECONDS
        return count

    async def _forget_logs(
        self, until: float, *, days: float, enough_bytes: int | None = None
    ) -> int:
        """Forget the oldest logs, as many as are old or until so many bytes are gone."""
        count = bytes_gone = 0
        while self._clock() < until and (enough_bytes is None or bytes_gone < enough_bytes):
            async with self._database.connection() as connection:
                chunks, size = await sweeping.forget_old_logs(connection, days=days)
            count += chunks
            bytes_gone += size
            if not chunks:
                break
        return count


def service(database: Database, keep: Keep) -> Service:
    """Return the chore, to be given to `working.work`."""
    return Service(name="sweeper", seconds=SWEEP_SECONDS, tick=Sweeper(database, keep).tick)
