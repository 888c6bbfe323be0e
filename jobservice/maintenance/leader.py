"""Elect one worker process to do what only one may do.

A leased, fenced row: 15 seconds, renewed every 3. Not a session lock, which a dead host keeps for
hours. Who leads too long notices nothing; its writes compare the fence and change nothing: in their
statement, or by `Leader.database`, which is what everything else of the leader is given.
"""

from __future__ import annotations

import structlog

from database.pool import Connection, Database
from jobservice.errors import NotLeading
from jobservice.store import leader
from jobservice.store.leader import Leadership

RENEWALS_PER_LEASE = 5

log = structlog.get_logger(__name__)


class Leader:
    """Whether this process leads; `tick` finds out.

    `database` lends connections, and commits, only while Postgres says so too.
    """

    def __init__(self, database: Database, worker_id: int, *, lease_seconds: float) -> None:
        self._database = database
        self._worker_id = worker_id
        self._lease_seconds = lease_seconds
        self.leadership: Leadership | None = None
        self._latest: Leadership | None = None
        self.database = database.checked(self._want)

    async def tick(self) -> None:
        """Become the leader if there is none, stay it if it is us."""
        had = self.leadership
        self.leadership = None
        async with self._database.connection() as connection:
            self.leadership = await leader.acquire(
                connection, self._worker_id, lease_seconds=self._lease_seconds
            )
        self._latest = self.leadership or self._latest
        if (had is None) != (self.leadership is None):
            log.info("leadership_changed", leads=self.leadership is not None)

    async def _want(self, connection: Connection) -> None:
        """Raise NotLeading unless Postgres says that we do; what we think may be long past."""
        if self._latest is None or not await leader.holds(connection, self._latest):
            raise NotLeading("another worker leads by now")

    async def resign(self) -> None:
        """Let another process lead at once."""
        if self.leadership is not None:
            async with self._database.connection() as connection:
                await leader.release(connection, self.leadership)
            self.leadership = None
