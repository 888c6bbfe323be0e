"""Move work from Postgres to Redis, a shallow window at a time.

First the commit, then the ring: a crash in between leaves a `queued` row that Redis does not know,
and the reconciler takes it back. Redis is asked first, so that nothing is committed while it is
away.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import monotonic

import structlog

from database.pool import Database
from jobservice import dispatching as rounds
from jobservice.errors import QueueUnavailable
from jobservice.maintenance.leader import Leader
from jobservice.queue import TaskQueue
from jobservice.store import dispatching
from jobservice.store.dispatching import Delivery
from jobservice.store.leader import Leadership

POLL_SECONDS = 0.4
RECONCILE_SECONDS = 5.0
# From Redis to a claim it takes milliseconds; a worker may die just in between.
LOST_AFTER_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Dispatcher:
    """The leader's dispatcher and its reconciler; `tick` does one round."""

    def __init__(
        self,
        database: Database,
        queue: TaskQueue,
        leader: Leader,
        job_type_limits: Mapping[str, int],
    ) -> None:
        self._job_type_limits = job_type_limits
        self._database = database
        self._queue = queue
        self._leader = leader
        self._is_cut_off = True  # until Redis has answered once
        self._reconcile_at = 0.0

    async def tick(self) -> None:
        """Take back what Redis lost, then fill the queues."""
        leadership = self._leader.leadership
        if leadership is None:
            return
        try:
            await self._reconcile(leadership)
            await self._dispatch(leadership)
        except QueueUnavailable as error:
            if not self._is_cut_off:
                log.warning("dispatcher_waits_for_redis", reason=str(error))
            self._is_cut_off = True

    async def _reconcile(self, leadership: Leadership) -> None:
        """After an outage or a loss look at everything that is queued, else at what waits long."""
        is_intact = await self._queue.remembers() and not self._is_cut_off
        if is_intact and monotonic() < self._reconcile_at:
            return
        for_seconds = LOST_AFTER_SECONDS if is_intact else 0.0
        async with self._database.connection() as connection:
            waiting = await dispatching.waiting(connection, for_seconds=for_seconds)
        lost = await self._queue.lost(waiting)
        await self._take_back(leadership, lost)
        self._is_cut_off = False
        self._reconcile_at = monotonic() + RECONCILE_SECONDS

    async def _take_back(self, leadership: Leadership, lost: tuple[Delivery, ...]) -> None:
        if not lost:
            return
        log.info("deliveries_lost", count=len(lost))
        async with self._database.connection() as connection:
            await dispatching.take_back(connection, leadership, lost)
        await self._queue.forget(lost)

    async def _dispatch(self, leadership: Leadership) -> None:
        async with self._database.connection() as connection:
            await dispatching.promote_retries(connection, leadership)
            deliveries = await rounds.dispatch(connection, leadership, self._job_type_limits)
        await self._queue.ring(deliveries)
