"""What this registry needs done from time to time; the leader does it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from database.pool import Database
from jobservice.maintenance.service import Service
from registry import maintenance
from registry.storage.driver import Storage

UPLOADS_SECONDS = 600.0
PARTIALS_SECONDS = 3600.0

log = structlog.get_logger(__name__)


def services(database: Database, storage: Storage) -> tuple[Service, ...]:
    """Return the registry's chores, to be given to `working.work`."""
    return (
        _chore(
            "uploads_expired",
            UPLOADS_SECONDS,
            lambda: maintenance.expire_uploads(database, storage),
        ),
        _chore(
            "partials_swept",
            PARTIALS_SECONDS,
            lambda: maintenance.sweep_partials(database, storage),
        ),
    )


def _chore(event: str, seconds: float, batch: Callable[[], Awaitable[int]]) -> Service:
    async def tick() -> None:
        if count := await batch():
            log.info(event, count=count)

    return Service(name=event, seconds=seconds, tick=tick)
