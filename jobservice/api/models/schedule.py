"""Schedules in Harbor's shape (its tag `schedule`), and what Harbor's have no field for."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from jobservice.api.models.base import HarborModel, LinkedPaging, OwnModel


class TransshipSchedule(OwnModel):
    """What can be said beside a cron expression: its zone, its jitter, what a late run does."""

    time_zone: str = "UTC"
    jitter_seconds: int = 0
    misfire: Literal["skip", "run_once"] = "run_once"
    ends_at: AwareDatetime | None = None


class TransshipPause(OwnModel):
    """Who holds schedules back, since when and why."""

    paused_by: str
    paused_at: datetime
    comment: str = ""


class TransshipScheduleTask(TransshipSchedule):
    """When a schedule fires next and did last. `next_runs` are fire times, before any jitter.

    `next_fire_at` is when the next one is due, its jitter included; a paused schedule's stays where
    it is until schedules go on.
    """

    enabled: bool
    pause: TransshipPause | None = None
    next_fire_at: datetime | None = None
    next_runs: list[datetime]
    last_fire_at: datetime | None = None
    last_success_at: datetime | None = None
    is_overdue: bool


class ScheduleTask(HarborModel):
    """A schedule; `vendor_id` is -1 where it belongs to the whole installation."""

    id: int
    vendor_type: str
    vendor_id: int
    cron: str
    update_time: datetime
    transship: TransshipScheduleTask


class SchedulerStatus(HarborModel):
    """Whether schedules are paused."""

    paused: bool


class SchedulePreview(OwnModel):
    """The next five fire times of an expression, in UTC and as a clock in its zone shows them."""

    cron: str
    time_zone: str
    next_runs: list[datetime]
    wall_times: list[str]


class ScheduleFire(OwnModel):
    """What became of a fire time: started, skipped or refused, and why."""

    fire_time: datetime
    fired_at: datetime
    outcome: Literal["started", "skipped", "refused"]
    execution_id: int | None = None
    detail: str = ""


class ScheduleListQuery(LinkedPaging):
    """GET /schedules."""

    q: str | None = None
    sort: str | None = None


class SchedulePause(OwnModel):
    """Whether schedules are to be paused, and why."""

    paused: bool
    comment: str = ""


class SchedulePausedPath(BaseModel):
    """Of all job types, as in Harbor."""

    job_type: str


class PreviewQuery(OwnModel):
    """An expression and where its clock hangs."""

    cron: str
    time_zone: str = "UTC"
