"""Start event-based policies: what changed in a short while becomes one execution.

The outbox reader writes down what each policy is to take up; here that is taken, a moment later.
One transaction takes the changes and starts the execution, so a crash loses and repeats nothing.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from database.errors import DatabaseUnavailable
from database.pool import Connection, Database
from jobservice.domain.change import Change
from jobservice.errors import NotFound, NotLeading, PreconditionFailed
from jobservice.maintenance.service import Service
from jobservice.store import changes
from jobservice.store.changes import Due

LOOK_SECONDS: Final = 0.5  # while something waits for its time; else a notification wakes it
IDLE_SECONDS: Final = 5.0
AT_ONCE: Final = 1000

log = structlog.get_logger(__name__)


class Starter(Protocol):
    """What changes start."""

    async def start(
        self, connection: Connection, policy_id: int, found: Sequence[Change]
    ) -> int | None:
        """Record an execution in this transaction and return its id; None for nothing to do.

        The changes are all to be copied, or all to be deleted. Raise PreconditionFailed or
        NotFound, with a sentence, for what may not start.
        """
        ...


def service(database: Database, starter: Starter) -> Service:
    """Return the chore, to be given to `working.work`."""
    triggers = EventTriggers(database, starter)
    return Service(
        name="event_triggers",
        seconds=IDLE_SECONDS,
        tick=triggers.tick,
        wake=triggers.wake,
        channel=changes.CHANNEL,
    )


class EventTriggers:
    """`tick` starts everything that is due."""

    def __init__(self, database: Database, starter: Starter) -> None:
        self._database = database
        self._starter = starter
        self.wake = asyncio.Event()
        self._next: asyncio.TimerHandle | None = None

    async def tick(self) -> None:
        """Start one execution for each policy and kind of change; a defect in one stops no other.

        What is more than a batch is due again at the next tick; what could not be started, later.
        """
        async with self._database.connection() as connection:
            found = await changes.due(connection)
            if await changes.any_waiting(connection):
                self._look_again()
        for one in found:
            try:
                await self._database.run(functools.partial(self._start, one))
            except (DatabaseUnavailable, NotLeading):
                raise
            except Exception:
                log.exception("event_trigger_failed", policy=one.policy_id)
                await self._database.run(functools.partial(changes.postpone, due=one))

    def _look_again(self) -> None:
        """Set the alarm; there is one, however many notifications came meanwhile."""
        if self._next is not None:
            self._next.cancel()
        self._next = asyncio.get_running_loop().call_later(LOOK_SECONDS, self.wake.set)

    async def _start(self, due: Due, connection: Connection) -> None:
        found = await changes.take(connection, due, limit=AT_ONCE)
        if not found:
            return  # somebody else was quicker
        try:
            async with connection.transaction():
                execution_id = await self._starter.start(connection, due.policy_id, found)
        except (PreconditionFailed, NotFound) as refusal:
            log.warning("event_trigger_refused", policy=due.policy_id, reason=str(refusal))
            return
        log.info(
            "event_triggered",
            policy=due.policy_id,
            changes=len(found),
            deletes=due.is_gone,
            execution=execution_id,
        )
