"""Take back what dead workers held, and finish stops whose process died in the middle."""

from __future__ import annotations

import asyncio

import structlog

from database.pool import Database
from jobservice.maintenance.leader import Leader
from jobservice.store import rescuing, stopping

RESCUE_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Rescuer:
    """The leader's rescuer; `tick` does one round."""

    def __init__(self, database: Database, leader: Leader, dispatch: asyncio.Event) -> None:
        self._database = database
        self._leader = leader
        self._dispatch = dispatch

    async def tick(self) -> None:
        """Rescue expired tasks and carry out overdue stops."""
        leadership = self._leader.leadership
        if leadership is None:
            return
        rescued = await self._database.run(lambda c: rescuing.rescue(c, leadership))
        for one in rescued:
            log.warning(
                "task_rescued",
                execution=one.execution_id,
                task=one.task_id,
                worker=one.worker_id,
                status=one.status,
            )
        if rescued:
            self._dispatch.set()
        async with self._database.connection() as connection:
            overdue = await stopping.overdue(connection)
        for execution_id in overdue:
            await self._stop(execution_id)

    async def _stop(self, execution_id: int) -> None:
        await self._database.run(lambda c: stopping.stop_unstarted(c, execution_id))
