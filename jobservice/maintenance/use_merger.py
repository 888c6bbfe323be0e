"""Write what clients of this process used, every few seconds and at its end.

Each process that serves clients does it for itself; no leader is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from database.errors import DatabaseUnavailable
from database.pool import Database
from jobservice.maintenance import service
from jobservice.maintenance.service import Service
from jobservice.store import hooks
from registry import maintenance
from registry.uses import UseBuffer

MERGE_SECONDS: Final = 2.0

log = structlog.get_logger(__name__)


@asynccontextmanager
async def merging(database: Database, buffer: UseBuffer) -> AsyncIterator[None]:
    """Merge while the block runs, and once more when it has ended."""

    async def tick() -> None:
        await maintenance.merge_uses(database, buffer, hooks.projects_told_of_pulls)

    stop = asyncio.Event()
    chore = Service(name="use_merger", seconds=MERGE_SECONDS, tick=tick)
    # No group: it would wrap what the block raises.
    running = asyncio.create_task(service.run(chore, stop), name=chore.name)
    try:
        yield
    finally:
        stop.set()
        await running
        await _at_the_end(tick)


async def _at_the_end(tick: Callable[[], Awaitable[None]]) -> None:
    try:
        await tick()
    except DatabaseUnavailable as error:
        log.warning("uses_lost_at_the_end", reason=str(error))
