"""Reading the logs of tasks, from any node: what there is, and what is added while they run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from database.pool import Database
from jobservice.domain.task import TaskStatus
from jobservice.errors import NotFound
from jobservice.store import logs, tasks
from jobservice.store.logs import Chunk

LOOK_SECONDS: Final = 0.5
BATCH: Final = 64
BEGINNING: Final = (-1, -1)


async def text(database: Database, task_id: int, *, contains: str = "") -> str:
    """Return a task's log, or those of its lines that contain a text in any case."""
    parts: list[str] = []
    place = BEGINNING
    while True:
        async with database.connection() as connection:
            found = await logs.after(connection, task_id, place, limit=BATCH)
        parts += [matching(chunk.text, contains) for chunk in found]
        if len(found) < BATCH:
            return "".join(parts)
        place = found[-1].place


async def followed(
    database: Database,
    task_id: int,
    place: tuple[int, int] = BEGINNING,
    *,
    stop: asyncio.Event,
) -> AsyncIterator[Chunk | TaskStatus | None]:
    """Yield the pieces of a task's log behind a place as they come; None while there is none.

    The last thing is the task's status, once it has ended and everything is told. Nothing more is
    told once `stop` is set. Raise NotFound.
    """
    while not stop.is_set():
        async with database.connection() as connection:
            # The status first: what a task wrote before it ended is there by then.
            status = await tasks.status(connection, task_id)
            found = await logs.after(connection, task_id, place, limit=BATCH)
        if status is None:
            raise NotFound("task", task_id)
        for chunk in found:
            place = chunk.place
            yield chunk
        if found:
            continue
        if status.is_final:
            yield status
            return
        yield None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await stop.wait()


def matching(lines: str, contains: str) -> str:
    """Return those lines that contain a text, in any case; all of them for an empty text."""
    if not contains:
        return lines
    wanted = contains.casefold()
    return "".join(line for line in lines.splitlines(keepends=True) if wanted in line.casefold())
