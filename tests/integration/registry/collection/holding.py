"""Two at once, one of them held at the interesting moment."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from typing_extensions import override

from database.pool import Database
from registry.storage.driver import Undeleted
from registry.storage.filesystem import FilesystemStorage
from registry.stored_object import StoredObject

Result = TypeVar("Result")
DEADLINE_SECONDS = 60
WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock')
"""


class Died(BaseException):
    """The process is gone: nobody handles this."""


async def begun(database: Database, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
    """Begin some work, and return when it has ended or waits for a lock."""
    task = asyncio.ensure_future(work)
    async with asyncio.timeout(DEADLINE_SECONDS), database.connection() as connection:
        while not task.done() and not await connection.fetchval(WAITING):
            pass
    return task


@dataclass
class HeldStorage(FilesystemStorage):
    """A folder that can be held just before it deletes, or die there."""

    root: Path
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    dies: bool = False

    def __post_init__(self) -> None:
        """Open the folder."""
        super().__init__(self.root)

    @override
    async def delete(self, objects: Sequence[StoredObject]) -> Sequence[Undeleted]:
        """Wait for the word."""
        self.reached.set()
        if self.dies:
            raise Died
        await self.go_on.wait()
        return await super().delete(objects)
