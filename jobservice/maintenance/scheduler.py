"""Start what schedules say, each fire time once.

The leader does it; that there is one leader is not what makes it once. A fire time is a row that
only one transaction can insert, and the execution and the next fire time are written with it. Only
Postgres' clock decides what is due.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from database.errors import DatabaseUnavailable
from database.pool import Connection, Database
from jobservice.domain import schedule as domain
from jobservice.domain.pause import Pause
from jobservice.domain.schedule import Decision, Fire, FireOutcome, Planned, Schedule
from jobservice.errors import NotFound, NotLeading, PreconditionFailed
from jobservice.maintenance.service import Service
from jobservice.store import firing, pauses, schedules
from jobservice.store.firing import Due

# It sleeps until the next fire time and is rung when that changes; this is for rings that were lost
# and for clocks that were set.
LOOK_SECONDS: Final = 30.0
BATCH: Final = 100

Clock = Callable[[Connection], Awaitable[datetime]]
log = structlog.get_logger(__name__)


class Starter(Protocol):
    """What the schedules of a vendor type start."""

    async def start(self, connection: Connection, schedule: Schedule, fire_time: datetime) -> int:
        """Record an execution in this transaction and return its id.

        Raise PreconditionFailed or NotFound, with a sentence, for what may not start now.
        """
        ...


class Scheduler:
    """Fires what is due; `wake` is for whoever hears of a change.

    It leaves alone the schedules of vendor types that it has no starter for: they are a later
    release's, or an earlier one's.
    """

    def __init__(
        self, database: Database, starters: Mapping[str, Starter], *, clock: Clock = schedules.now
    ) -> None:
        self._database = database
        self._starters = starters
        self._clock = clock
        self._pause: Pause | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.wake = asyncio.Event()

    def service(self) -> Service:
        """Return the chore, to be given to `working.work`."""
        return Service(
            name="scheduler",
            seconds=LOOK_SECONDS,
            tick=self.tick,
            wake=self.wake,
            channel=schedules.CHANNEL,
        )

    async def tick(self) -> None:
        """Fire everything that is due, then set the alarm for what is due next."""
        if await self._is_paused():
            return
        await self._database.run(self._follow_the_clock)
        # What was on time and is due again by now is fired in the next round.
        while await self._round():
            pass
        await self._set_alarm()

    async def _is_paused(self) -> bool:
        async with self._database.connection() as connection:
            pause = await pauses.of_schedules(connection)
        if pause != self._pause:
            if pause is not None:
                log.info("schedules_paused", by=pause.paused_by, since=pause.paused_at.isoformat())
            else:
                log.info("schedules_resumed")
        self._pause = pause
        return pause is not None

    async def _follow_the_clock(self, connection: Connection) -> None:
        """Plan anew, after a clock that was ahead was set back, what waits for that future."""
        now = await self._clock(connection)
        for schedule in await firing.lock_ahead(connection, now, types=list(self._starters)):
            planned = domain.plan_anew(schedule, now=now)
            if planned != schedule.planned:
                log.warning("schedule_planned_anew", schedule=schedule.id)
                await firing.advance(connection, schedule.id, planned)

    async def _round(self) -> int:
        """Fire each schedule that is due once; return how many stepped on."""
        fired, place = 0, None
        while True:
            async with self._database.connection() as connection:
                now = await self._clock(connection)
                batch = await firing.due(
                    connection, now, types=list(self._starters), after=place, limit=BATCH
                )
            if not batch:
                return fired
            for one in batch:
                fired += await self._fire_alone(one, now)
            place = batch[-1]

    async def _fire_alone(self, due: Due, now: datetime) -> bool:
        """Fire one schedule; a defect in what it starts keeps no other from firing."""
        try:
            return await self._database.run(lambda c: self._fire(c, due.schedule_id, now))
        except (DatabaseUnavailable, NotLeading):
            raise
        except Exception:
            # It stays due, and is tried again at the next tick.
            log.exception("schedule_failed", schedule=due.schedule_id, due_at=due.due_at)
            return False

    async def _fire(self, connection: Connection, schedule_id: int, now: datetime) -> bool:
        schedule = await firing.lock_due(connection, schedule_id, now)
        if schedule is None or schedule.planned is None:
            return False
        decision = domain.decide(schedule, schedule.planned, now=now)
        if await firing.claim(connection, schedule.id, schedule.planned.fire_time, now):
            fire = await self._carry_out(connection, schedule, schedule.planned, decision, now)
            await firing.finish(connection, schedule.id, fire)
            _told(schedule, fire)
        await firing.advance(connection, schedule.id, decision.planned)
        return True

    async def _carry_out(
        self,
        connection: Connection,
        schedule: Schedule,
        planned: Planned,
        decision: Decision,
        now: datetime,
    ) -> Fire:
        """Start what the schedule is there for, or say why nothing starts."""
        outcome, execution_id, detail = FireOutcome.SKIPPED, None, decision.detail
        if decision.starts:
            try:
                async with connection.transaction():
                    execution_id = await self._starters[schedule.vendor.type].start(
                        connection, schedule, planned.fire_time
                    )
                outcome = FireOutcome.STARTED
            except (PreconditionFailed, NotFound) as refusal:
                outcome, detail = FireOutcome.REFUSED, str(refusal)
        return Fire(
            fire_time=planned.fire_time,
            fired_at=now,
            outcome=outcome,
            execution_id=execution_id,
            detail=detail,
        )

    async def _set_alarm(self) -> None:
        async with self._database.connection() as connection:
            now = await self._clock(connection)
            next_at = await firing.next_at(connection, now, types=list(self._starters))
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if next_at is not None and next_at - now < timedelta(seconds=LOOK_SECONDS):
            delay = (next_at - now).total_seconds()
            self._alarm = asyncio.get_running_loop().call_later(delay, self.wake.set)


def _told(schedule: Schedule, fire: Fire) -> None:
    log.info(
        "schedule_fired",
        schedule=schedule.id,
        vendor_type=schedule.vendor.type,
        vendor_id=schedule.vendor.id,
        fire_time=fire.fire_time.isoformat(),
        outcome=fire.outcome,
        execution=fire.execution_id,
        detail=fire.detail,
    )
