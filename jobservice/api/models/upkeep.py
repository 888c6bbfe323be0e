"""Upkeep jobs and their schedules in Harbor's shape, which is that of its tags `purge` and `gc`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobservice.api.models.base import HarborModel, LinkedPaging


class ScheduleObj(HarborModel):
    """When: by its type, and by a cron expression of six fields."""

    type: str | None = None
    cron: str | None = None
    next_scheduled_time: datetime | None = None


class Schedule(HarborModel):
    """A schedule with the parameters of what it starts."""

    id: int | None = None
    status: str | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None
    schedule: ScheduleObj | None = None
    parameters: dict[str, Any] | None = None


class ExecHistory(HarborModel):
    """A run of a job, or its schedule."""

    id: int | None = None
    job_name: str | None = None
    job_kind: str | None = None
    job_parameters: str | None = None
    schedule: ScheduleObj | None = None
    job_status: str | None = None
    deleted: bool | None = None
    creation_time: datetime | None = None
    update_time: datetime | None = None


class HistoryQuery(LinkedPaging):
    """The runs of one kind."""

    q: str | None = None
    sort: str | None = None
