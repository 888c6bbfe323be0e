"""Try every remembered registry from time to time, so that its status is what is so.

Harbor's core does it every five minutes. Here the leader looks for what is due; the endpoints' ids
spread the checks, so that a restart does not set off all of them at once.
"""

from __future__ import annotations

import asyncio
from typing import Final

from jobservice.checking import Checker
from jobservice.domain.endpoint import StoredEndpoint
from jobservice.errors import UnhealthyEndpoint
from jobservice.maintenance.service import Service
from jobservice.store import endpoints

CHECK_EVERY_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 15.0
_AT_ONCE: Final = 8


def service(checker: Checker, *, every_seconds: float = CHECK_EVERY_SECONDS) -> Service:
    """Return the chore, to be given to `working.work`."""

    async def tick() -> None:
        await check_due(checker, every_seconds=every_seconds)

    return Service(name="endpoint_checks", seconds=_LOOK_SECONDS, tick=tick)


async def check_due(checker: Checker, *, every_seconds: float) -> None:
    """Try what was not tried for that long, a few at once; a round takes what is due longest."""
    async with checker.database.connection() as connection:
        due = await endpoints.due(connection, unchecked_seconds=every_seconds)
    at_once = asyncio.Semaphore(_AT_ONCE)
    async with asyncio.TaskGroup() as group:
        for endpoint in due:
            group.create_task(_check(checker, endpoint, at_once))


async def _check(checker: Checker, endpoint: StoredEndpoint, at_once: asyncio.Semaphore) -> None:
    async with at_once:
        try:
            await checker.check_stored(endpoint)
        except UnhealthyEndpoint:
            return  # the row says so, and the log if that is news
