"""Elect one worker process to do what only one may do.

A leased, fenced row: 15 seconds, renewed every 3. Not a session lock, which a dead host keeps for
hours. Who leads too long notices nothing; its writes compare the fence and change nothing.
"""

from __future__ import annotations

import structlog

from database.pool import Database
from jobservice.store import leader
from jobservice.store.leader import Leadership

RENEWALS_PER_LEASE = 5

log = structlog.get_logger(__name__)


class Leader:
    """Whether this process leads; `tick` finds out."""

    def __init__(self, database: Database, worker_id: int, *, lease_seconds: float) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self.leadership: Leadership | None = None

    async def tick(self) -> None:
        """Become the leader if there is none, stay it if it is us."""
        had = self.leadership
        self.leadership = None
        async with self._database.connection() as connection:
            self.leadership = await leader.acquire(
                connection, self._worker_id, lease_seconds=self._lease_seconds
            )
        if (had is None) != (self.leadership is None):
            log.info("leadership_changed", leads=self.leadership is not None)

    async def resign(self) -> None:
        """Let another process lead at once."""
        if self.leadership is not None:
            async with self._database.connection() as connection:
                await leader.release(connection, self.leadership)
            self.leadership = None
