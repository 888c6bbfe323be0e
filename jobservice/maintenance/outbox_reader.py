"""Hand on what happened: the outbox's rows become hook deliveries, and go.

One transaction per batch takes rows that nobody else holds, adds what comes of them and deletes
them; so a crash repeats nothing and loses nothing, and a second reader does no harm. There is no
cursor over ids: transactions commit out of their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog

from database.pool import Connection, Database
from jobservice import logging as service_logging
from jobservice.domain.hook import EventType, Hook, Subject
from jobservice.domain.hook_payloads import message, notices, runs
from jobservice.domain.hook_payloads.event import Event
from jobservice.maintenance.service import Service
from jobservice.store import hook_deliveries, hooks, outbox
from jobservice.store.failures import POSTGRES_FAILURES
from jobservice.store.hook_deliveries import Occasion
from jobservice.store.outbox import OUTBOX_CHANNEL, Kind, Row

POLL_SECONDS = 5.0
_AT_ONCE = 100

log = structlog.get_logger(__name__)


def service(database: Database, *, external_url: str) -> Service:
    """Return the loop, to be given to `working.work`."""
    reader = OutboxReader(database, external_url=external_url)
    return Service(
        name="outbox_reader", seconds=POLL_SECONDS, tick=reader.tick, channel=OUTBOX_CHANNEL
    )


class OutboxReader:
    """`tick` hands on everything that waits."""

    def __init__(self, database: Database, *, external_url: str) -> None:
        self._database = database
        self._external_url = external_url

    async def tick(self) -> None:
        """Take batches until one is not full."""
        while await self._database.run(self.hand_on) == _AT_ONCE:
            pass

    async def hand_on(self, connection: Connection) -> int:
        """Hand on one batch within the open transaction; return how many rows it took."""
        rows = await outbox.take(connection, limit=_AT_ONCE)
        if not rows:
            return 0
        told = await hooks.enabled(connection)
        done = [row for row in rows if await self._is_told(connection, row, told)]
        await outbox.delete(connection, done)
        return len(rows)

    async def _is_told(self, connection: Connection, row: Row, told: Sequence[Hook]) -> bool:
        """Hand a row on; one that cannot be waits, and holds up nothing behind it."""
        try:
            async with connection.transaction():
                await self._tell(connection, row, told)
        except POSTGRES_FAILURES:
            raise
        except Exception:
            log.exception("event_not_handed_on", event_id=row.event_id, kind=row.kind)
            await outbox.postpone(connection, row)
            return False
        return True

    async def _tell(self, connection: Connection, row: Row, told: Sequence[Hook]) -> None:
        facts: dict[str, Any] = dict(service_logging.redact(None, "", dict(row.facts)))
        wanting = [hook for hook in told if hook.wants(_subject(row, facts))]
        if not wanting:
            return
        event = await self._event(connection, row, facts)
        for hook in wanting:
            occasion = Occasion(
                hook_id=hook.id,
                project_id=hook.project_id,
                event_id=event.id,
                event_type=event.subject.type,
            )
            await hook_deliveries.insert(connection, occasion, message.messages(event, hook))
            log.info("hook_triggered", hook=hook.id, event_id=event.id, type=event.subject.type)

    async def _event(self, connection: Connection, row: Row, facts: dict[str, Any]) -> Event:
        about = _subject(row, facts)
        if row.kind == Kind.SCHEDULE_OVERDUE:
            return notices.overdue(row.event_id, row.occurred_at, facts, project_id=row.project_id)
        known = await outbox.background(connection, row, external_url=self._external_url)
        return runs.event(row.event_id, about, row.occurred_at, facts, known)


def _subject(row: Row, facts: dict[str, Any]) -> Subject:
    if row.kind == Kind.SCHEDULE_OVERDUE:
        return Subject(type=EventType.SCHEDULE_OVERDUE, project_id=row.project_id)
    is_task = row.kind == Kind.TASK_ENDED
    return runs.subject(facts, project_id=row.project_id, is_task=is_task)
