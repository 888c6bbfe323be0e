"""Hand on what happened: the rows of both outboxes become hook deliveries and changes, and go.

The job service writes its own outbox, this registry another. One transaction per batch takes rows
that nobody else holds, adds what comes of them and deletes them; so a crash repeats nothing and
loses nothing, and a second reader does no harm. There is no cursor over ids: transactions commit
out of their order.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from database.pool import Connection, Database
from jobservice import logging as service_logging
from jobservice.domain.change import EventPolicy
from jobservice.domain.hook import EventType, Hook, Subject
from jobservice.domain.hook_payloads import artifacts, message, notices, retention, runs
from jobservice.domain.hook_payloads.artifacts import Surroundings
from jobservice.domain.hook_payloads.event import Event
from jobservice.maintenance.service import Service
from jobservice.store import changes, hook_deliveries, hooks, outbox
from jobservice.store.failures import POSTGRES_FAILURES
from jobservice.store.hook_deliveries import Occasion
from jobservice.store.outbox import OUTBOX_CHANNEL, Kind, Row
from registry import events
from registry.events import Told
from registry.metadata import outbox as registry_outbox
from registry.metadata import repositories

# Pushes ring no bell: notifications would make their commits wait for each other.
POLL_SECONDS: Final = 1.0
_AT_ONCE: Final = 100
# What is not the end of an execution or a task.
OF_THEIR_OWN: Final[Mapping[str, EventType]] = {
    Kind.SCHEDULE_OVERDUE: EventType.SCHEDULE_OVERDUE,
    Kind.TAG_RETENTION: EventType.TAG_RETENTION,
    Kind.RETENTION_APPROVAL: EventType.RETENTION_APPROVAL,
}

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
        """Take batches until one is not full; looking is cheaper than taking nothing."""
        async with self._database.connection() as connection:
            ours = await outbox.any_due(connection)
            theirs = await registry_outbox.any_due(connection)
        for is_due, hand_on in ((ours, self.hand_on), (theirs, self.hand_on_events)):
            while is_due and await self._database.run(hand_on) == _AT_ONCE:
                pass

    async def hand_on(self, connection: Connection) -> int:
        """Hand on one batch of the job service's within the open transaction; return its size."""
        rows = await outbox.take(connection, limit=_AT_ONCE)
        if not rows:
            return 0
        told = await hooks.enabled(connection)
        done = []
        for row in rows:
            if await _done(connection, row, functools.partial(self._tell, row, told)):
                done.append(row)
            else:
                await outbox.postpone(connection, row)
        await outbox.delete(connection, done)
        return len(rows)

    async def hand_on_events(self, connection: Connection) -> int:
        """Hand on one batch of this registry's events likewise."""
        rows = await registry_outbox.take(connection, limit=_AT_ONCE)
        if not rows:
            return 0
        told = await hooks.enabled(connection)
        following = await changes.policies(connection)
        done = []
        for row in rows:
            if await _done(connection, row, functools.partial(self._spread, row, told, following)):
                done.append(row)
            else:
                await registry_outbox.postpone(connection, row, seconds=outbox.AGAIN_SECONDS)
        await registry_outbox.delete(connection, done)
        return len(rows)

    async def _tell(self, row: Row, told: Sequence[Hook], connection: Connection) -> None:
        facts: dict[str, Any] = dict(service_logging.redact(None, "", dict(row.facts)))
        wanting = [hook for hook in told if hook.wants(_subject(row, facts))]
        if wanting:
            await _deliver(connection, await self._event(connection, row, facts), wanting)

    async def _event(self, connection: Connection, row: Row, facts: dict[str, Any]) -> Event:
        about = _subject(row, facts)
        if row.kind == Kind.SCHEDULE_OVERDUE:
            return notices.overdue(row.event_id, row.occurred_at, facts, project_id=row.project_id)
        if row.kind == Kind.RETENTION_APPROVAL:
            return retention.approval_wanted(
                row.event_id, row.occurred_at, facts, project_id=row.project_id
            )
        if row.kind == Kind.TAG_RETENTION:
            return await self._retention_event(connection, row, facts)
        known = await outbox.background(connection, row, external_url=self._external_url)
        return runs.event(row.event_id, about, row.occurred_at, facts, known)

    async def _retention_event(
        self, connection: Connection, row: Row, facts: dict[str, Any]
    ) -> Event:
        run = await outbox.run_of(connection, facts["execution_id"])
        return retention.finished(
            row.event_id,
            row.occurred_at,
            {**facts, "started_by": run.started_by},
            project_id=row.project_id,
            snapshot=run.snapshot,
            external_url=self._external_url,
        )

    async def _spread(
        self,
        row: Told,
        told: Sequence[Hook],
        following: Sequence[EventPolicy],
        connection: Connection,
    ) -> None:
        happened = events.Event.from_json(row.facts)
        for policy in following:
            found = policy.changes(happened, external_url=self._external_url)
            if found:
                await changes.add(connection, policy.id, found)
        wanting = [hook for hook in told if hook.wants(artifacts.subject(happened))]
        if not wanting:
            return
        about = await repositories.about(connection, happened.project_id, happened.repository)
        around = Surroundings(
            external_url=self._external_url,
            is_public=about.is_public,
            created_at=about.created_at,
        )
        event = artifacts.event(row.event_id, row.occurred_at, happened, around)
        await _deliver(connection, event, wanting)


async def _done(
    connection: Connection, row: Row | Told, work: Callable[[Connection], Awaitable[None]]
) -> bool:
    """Hand a row on; one that cannot be has to wait, and holds up nothing behind it."""
    try:
        async with connection.transaction():
            await work(connection)
    except POSTGRES_FAILURES:
        raise
    except Exception:
        log.exception("event_not_handed_on", event_id=row.event_id)
        return False
    return True


async def _deliver(connection: Connection, event: Event, wanting: Sequence[Hook]) -> None:
    for hook in wanting:
        occasion = Occasion(
            hook_id=hook.id,
            project_id=hook.project_id,
            event_id=event.id,
            event_type=event.subject.type,
        )
        await hook_deliveries.insert(connection, occasion, message.messages(event, hook))
        log.info("hook_triggered", hook=hook.id, event_id=event.id, type=event.subject.type)


def _subject(row: Row, facts: dict[str, Any]) -> Subject:
    if row.kind in OF_THEIR_OWN:
        return Subject(type=OF_THEIR_OWN[row.kind], project_id=row.project_id)
    is_task = row.kind == Kind.TASK_ENDED
    return runs.subject(facts, project_id=row.project_id, is_task=is_task)
