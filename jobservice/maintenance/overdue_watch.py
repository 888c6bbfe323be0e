"""Tell hooks of schedules whose runs are missing: once for each fire time that passes like that."""

from __future__ import annotations

import structlog

from database.pool import Connection, Database
from jobservice.domain import schedule as rules
from jobservice.maintenance.service import Service
from jobservice.store import outbox, schedules

LOOK_SECONDS = 30.0

log = structlog.get_logger(__name__)


def service(database: Database) -> Service:
    """Return the loop, to be given to `working.work`."""

    async def tick() -> None:
        await database.run(look)

    return Service(name="overdue_watch", seconds=LOOK_SECONDS, tick=tick)


async def look(connection: Connection) -> None:
    """Put an event into the outbox for each schedule that is overdue and was not told of yet."""
    now = await schedules.now(connection)
    for schedule in await schedules.every(connection):
        if rules.is_overdue(schedule, now=now) and await outbox.add_overdue(connection, schedule):
            log.warning("schedule_overdue", schedule=schedule.id, vendor=str(schedule.vendor))
