"""Workers, queues and jobs in Harbor's shape (its tag `jobservice`)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from jobservice.api.models.base import HarborModel, OwnModel


class TransshipPool(OwnModel):
    """What Harbor's pool has no field for."""

    version: str
    zone: str
    job_types: list[str]
    slots: dict[str, int]
    running: int


class WorkerPool(HarborModel):
    """A worker process."""

    pid: int
    worker_pool_id: str
    start_at: datetime
    heartbeat_at: datetime
    concurrency: int
    host: str
    transship: TransshipPool


class Worker(HarborModel):
    """A slot of a worker process; without a job it is free."""

    id: str
    pool_id: str
    job_name: str
    job_id: str
    start_at: datetime | None = None
    check_in: str
    checkin_at: datetime | None = None


class TransshipQueue(OwnModel):
    """Who holds a job type back, since when and why."""

    paused_by: str
    paused_at: datetime
    comment: str = ""


class JobQueue(HarborModel):
    """What waits of a job type; `latency` is for how many seconds the oldest has."""

    job_type: str
    count: int
    latency: int
    paused: bool
    transship: TransshipQueue | None = None


class ActionRequest(HarborModel):
    """What to do with a queue."""

    action: Literal["stop", "pause", "resume"] | None = None


class PoolPath(BaseModel):
    """A worker process by its id, or `all`."""

    pool_id: str


class JobPath(BaseModel):
    """A task by its id, or `all`."""

    job_id: str


class JobTypePath(BaseModel):
    """A job type by its name, or `all`."""

    job_type: str
