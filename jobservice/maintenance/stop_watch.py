"""Hear of stop requests: by NOTIFY at once, by one SELECT a second while tasks run."""

from __future__ import annotations

from database.pool import Database
from jobservice.holding import Holdings
from jobservice.store import stopping

WATCH_SECONDS = 1.0


class StopWatch:
    """Cancels held tasks that are to stop; `tick` asks once."""

    def __init__(self, database: Database, holdings: Holdings) -> None:
        self._database = database
        self._holdings = holdings

    async def tick(self) -> None:
        """Ask which of our tasks are to stop, and cancel them."""
        if not len(self._holdings):
            return
        held = [holding.task.id for holding in self._holdings]
        async with self._database.connection() as connection:
            self._holdings.stop(await stopping.requested_of(connection, held))
