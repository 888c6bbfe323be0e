"""When schedules fire: what a user says, the next fire time, jitter, and what a late one does.

A fire time is what the cron expression names; it is due a little later where there is jitter. Every
time comes in as an argument and is a moment in UTC.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, Final, Self, assert_never
from zoneinfo import ZoneInfo

from jobservice.domain import cron, fire_time, time_zone
from jobservice.domain.cron import Cron
from jobservice.errors import InvalidRequest

JITTER_LIMIT_SECONDS: Final = 3600
PREVIEW_COUNT: Final = 5
FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 9000
# A fire time carried out within this is on time: a leader may have died and another taken over.
ON_TIME: Final = timedelta(seconds=60)
# A run has at least this long to succeed before its schedule is overdue.
PATIENCE: Final = timedelta(minutes=15)
# The vendor id of what belongs to the whole installation, as in Harbor.
INSTALLATION: Final = -1


class Misfire(StrEnum):
    """What happens to a fire time at which nobody could fire."""

    SKIP = "skip"
    RUN_ONCE = "run_once"


class FireOutcome(StrEnum):
    """What became of a fire time."""

    STARTED = "started"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleOptions:
    """What can be said beside a cron expression. The zone is a name; `ends_at` knows its zone."""

    time_zone: str = time_zone.UTC_NAME
    jitter_seconds: int = 0
    misfire: Misfire = Misfire.RUN_ONCE
    ends_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that policies keep."""
        return {
            "time_zone": self.time_zone,
            "jitter_seconds": self.jitter_seconds,
            "misfire": self.misfire,
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; what is absent is as if never said."""
        if not value:
            return cls()
        ends_at = value["ends_at"]
        return cls(
            time_zone=value["time_zone"],
            jitter_seconds=value["jitter_seconds"],
            misfire=Misfire(value["misfire"]),
            ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a schedule fires, checked."""

    cron: Cron
    zone: ZoneInfo
    jitter_seconds: int = 0
    misfire: Misfire = Misfire.RUN_ONCE
    ends_at: datetime | None = None

    def fire_times(self, after: datetime) -> Iterator[datetime]:
        """Yield the fire times after a moment, in order; they stop at `ends_at`."""
        moment = after
        while True:
            moment = fire_time.following(self.cron, self.zone, moment)
            if self.ends_at is not None and moment > self.ends_at:
                return
            yield moment

    def preview(self, now: datetime) -> tuple[datetime, ...]:
        """Return the next five fire times, fewer before the end date."""
        return tuple(islice(self.fire_times(now), PREVIEW_COUNT))


def problems(text: str, options: ScheduleOptions) -> Iterator[tuple[str, str]]:
    """Yield (field, sentence) for everything that is wrong."""
    for name, read in (
        ("cron", lambda: cron.parse(text)),
        ("time_zone", lambda: time_zone.named(options.time_zone)),
    ):
        try:
            read()
        except InvalidRequest as error:
            yield from ((name, problem) for problem in error.problems)
    if not 0 <= options.jitter_seconds <= JITTER_LIMIT_SECONDS:
        yield (
            "jitter_seconds",
            f"{options.jitter_seconds} is not within 0 to {JITTER_LIMIT_SECONDS}",
        )
    if options.ends_at is not None and options.ends_at.tzinfo is None:
        yield "ends_at", "has no time zone, as in 2030-01-01T00:00:00Z"
    elif options.ends_at is not None and not FIRST_YEAR <= options.ends_at.year <= LAST_YEAR:
        yield (
            "ends_at",
            f"the year {options.ends_at.year} is not within {FIRST_YEAR} to {LAST_YEAR}",
        )


def timing(text: str, options: ScheduleOptions) -> Timing:
    """Read what a user says; raise InvalidRequest with everything that is wrong."""
    found = [f"{name}: {problem}" for name, problem in problems(text, options)]
    if found:
        raise InvalidRequest(found)
    return Timing(
        cron=cron.parse(text),
        zone=time_zone.named(options.time_zone),
        jitter_seconds=options.jitter_seconds,
        misfire=options.misfire,
        ends_at=options.ends_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """Whom a schedule belongs to."""

    type: str
    id: int = INSTALLATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A fire time and when it is due."""

    fire_time: datetime
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One row. `planned` is None for one that is disabled or has reached its end date."""

    id: int
    vendor: Vendor
    timing: Timing
    enabled: bool
    parameters: Mapping[str, Any] = field(default_factory=dict)
    planned: Planned | None
    last_fire_at: datetime | None
    last_success_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """What became of one fire time."""

    fire_time: datetime
    fired_at: datetime
    outcome: FireOutcome
    execution_id: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a due schedule does now: whether it starts something, why not or why late, what next."""

    starts: bool
    detail: str
    planned: Planned | None


def plan(when: Timing, vendor: Vendor, *, after: datetime) -> Planned | None:
    """Return the first fire time after a moment and when it is due; None after the end date.

    The jitter is the same whoever computes it, and ends before the next fire time.
    """
    times = list(islice(when.fire_times(after), 2))
    if not times:
        return None
    bound = when.jitter_seconds
    if len(times) > 1:
        bound = min(bound, int((times[1] - times[0]).total_seconds()) - 1)
    return Planned(fire_time=times[0], due_at=times[0] + _jitter(vendor, times[0], bound))


def plan_anew(schedule: Schedule, *, now: datetime) -> Planned | None:
    """Return what is next as seen from a moment, if that is sooner than what was planned."""
    found = plan(schedule.timing, schedule.vendor, after=now)
    known = [one for one in (found, schedule.planned) if one is not None]
    return min(known, key=lambda one: one.fire_time, default=None)


def decide(schedule: Schedule, planned: Planned, *, now: datetime) -> Decision:
    """Say what a due schedule does.

    On time it starts what it is there for, and the fire time after this one is next. Late it starts
    that once or not at all, and the first fire time from now on is next. After its end date nothing
    starts late.
    """
    late = now - planned.due_at
    if late <= ON_TIME:
        following = plan(schedule.timing, schedule.vendor, after=planned.fire_time)
        return Decision(starts=True, detail="", planned=following)
    following = plan(schedule.timing, schedule.vendor, after=now)
    delay = timedelta(seconds=int(late.total_seconds()))
    if schedule.timing.ends_at is not None and now > schedule.timing.ends_at:
        detail = f"nobody could fire it for {delay}; its end date has passed"
        return Decision(starts=False, detail=detail, planned=following)
    match schedule.timing.misfire:
        case Misfire.SKIP:
            detail = f"nobody could fire it for {delay}; skipped with everything due since"
            return Decision(starts=False, detail=detail, planned=following)
        case Misfire.RUN_ONCE:
            detail = f"late by {delay}; stands for everything due since"
            return Decision(starts=True, detail=detail, planned=following)
        case _:
            assert_never(schedule.timing.misfire)


def is_overdue(schedule: Schedule, *, now: datetime) -> bool:
    """Return whether a run should have succeeded by now that has not.

    Counted from the last success, or from the last change of the schedule if that is later: the
    next fire time must have had until the one after it, and a quarter of an hour, to succeed. What
    is disabled is never overdue; what is paused may be, for its runs are missing.
    """
    if not schedule.enabled:
        return False
    since = max(schedule.last_success_at or schedule.updated_at, schedule.updated_at)
    times = list(islice(schedule.timing.fire_times(since), 2))
    if not times:
        return False
    spread = timedelta(seconds=schedule.timing.jitter_seconds)
    return now > max(times[-1] + spread, times[0] + spread + PATIENCE)


def _jitter(vendor: Vendor, moment: datetime, bound_seconds: int) -> timedelta:
    text = f"{vendor.type}/{vendor.id}/{int(moment.astimezone(UTC).timestamp())}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return timedelta(seconds=number % (bound_seconds + 1))
