"""Telling what happens as it happens, to any number of listeners of this process.

One loop reads for all of them, only while somebody listens. A listener has a bounded queue; one
that does not keep up is dropped and told so, for memory is not to be had without end.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from time import monotonic
from typing import Any, Final

from database.pool import Connection, Database
from jobservice.domain.execution import Pace
from jobservice.domain.happening import Happening, Place, Topic, Transition, Wanted
from jobservice.maintenance import service
from jobservice.maintenance.service import Service
from jobservice.store import executions as executions_store
from jobservice.store import progress as progress_store
from jobservice.store import transitions as transitions_store

LOOK_SECONDS: Final = 0.25
# Queues and the progress of executions change without a transition: they are looked at apart.
SURVEY_SECONDS: Final = 1.0
QUEUE_LIMIT: Final = 1_000
BATCH: Final = 1_000
REPLAY_LIMIT: Final = 10_000
SHUT_DOWN: Final = "the server shuts down"


class Listener:
    """What one client is to be told; iterate it. It ends when it fell behind or the process ends.

    `ended` says why once it has ended.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.ended = ""
        self._queue: asyncio.Queue[Happening | None] = asyncio.Queue(QUEUE_LIMIT)

    def offer(self, happening: Happening) -> None:
        """Tell it, if it wants to know and there is room."""
        if self.ended or not self.wanted.takes(happening):
            return
        try:
            self._queue.put_nowait(happening)
        except asyncio.QueueFull:
            self.end(f"this listener fell {QUEUE_LIMIT} events behind and is dropped")

    def end(self, reason: str) -> None:
        """Tell nothing more, and what waits to be told is forgotten."""
        if self.ended:
            return
        self.ended = reason
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def next(self, seconds: float) -> Happening | None:
        """Return what happens next; None when nothing did for so long, or at the end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._queue.get()
        return None


class Follower:
    """Reads for all listeners; one per process. `closed` is set when it tells nothing any more."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: list[Listener] = []
        self._place = Place(xact=0)
        self._reading: asyncio.Task[None] | None = None
        self._surveyed: dict[tuple[Topic, int | None], Any] = {}
        self._survey_at = 0.0
        self._beginning = asyncio.Lock()
        self.closed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listening(
        self, wanted: Wanted, since: Place | None = None
    ) -> AsyncIterator[tuple[Listener, Sequence[Happening]]]:
        """Listen inside; beside the listener comes what there is to be told first.

        That is what happened since `since`, at most REPLAY_LIMIT events (who was away for longer is
        told to look anew), and how the execution is, where one is listened to.
        """
        listener = Listener(wanted)
        async with self._beginning:
            if self._reading is None and not self.closed.is_set():
                await self._begin()
            self._listeners.append(listener)
        if self.closed.is_set():
            listener.end(SHUT_DOWN)
        try:
            yield listener, await self._before(wanted, since, self._place)
        finally:
            self._listeners.remove(listener)
            if not self._listeners:
                await self._stop()

    async def _begin(self) -> None:
        async with self._database.connection() as connection:
            self._place = await transitions_store.here(connection)
        reader = Service(name="follower", seconds=LOOK_SECONDS, tick=self._tick)
        self._reading = asyncio.get_running_loop().create_task(
            service.run(reader, self.closed), name=reader.name
        )

    async def close(self) -> None:
        """End every listener; nobody can listen any more."""
        self.closed.set()
        for listener in self._listeners:
            listener.end(SHUT_DOWN)
        await self._stop()

    async def _stop(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
        self._surveyed.clear()

    async def _before(self, wanted: Wanted, since: Place | None, until: Place) -> list[Happening]:
        """Return what was missed, and how the one execution is that is listened to."""
        async with self._database.connection() as connection:
            missed = await self._missed(connection, wanted, since, until) if since else []
            one = wanted.execution_id
            data = await shown(connection, one) if one is not None else None
        if data is None:
            return missed
        now = Happening(topic=Topic.EXECUTION, data=data, place=until, execution_id=one)
        return [*missed, *([now] if wanted.takes(now) else [])]

    async def _missed(
        self, connection: Connection, wanted: Wanted, since: Place, until: Place
    ) -> list[Happening]:
        found = await transitions_store.after(connection, since, limit=REPLAY_LIMIT + 1)
        if len(found) > REPLAY_LIMIT:
            data = {"message": f"more than {REPLAY_LIMIT} events were missed; look anew"}
            return [Happening(topic=Topic.GAP, data=data, place=until)]
        told = [_told(one) for one in found if one.place <= until]
        return [one for one in told if wanted.takes(one)]

    async def _tick(self) -> None:
        async with self._database.connection() as connection:
            await self._look(connection)
            if monotonic() >= self._survey_at:
                self._survey_at = monotonic() + SURVEY_SECONDS
                await self._survey(connection)

    async def _look(self, connection: Connection) -> None:
        """Tell transitions, and how the executions are that they belong to."""
        while True:
            found = await transitions_store.after(connection, self._place, limit=BATCH)
            if not found:
                return
            self._place = found[-1].place
            for transition in found:
                self._tell(_told(transition))
            for execution_id in dict.fromkeys(one.execution_id for one in found):
                if self._is_wanted(execution_id):
                    await self._tell_execution(connection, execution_id, self._place)
            if len(found) < BATCH:
                return

    async def _survey(self, connection: Connection) -> None:
        """Tell what changed without a transition: the progress of executions, and the queues."""
        for execution_id in {one.wanted.execution_id for one in self._listeners} - {None}:
            assert execution_id is not None  # noqa: S101  the set says so
            await self._tell_execution(connection, execution_id, None)
        if any(Topic.QUEUE in one.wanted.topics for one in self._listeners):
            queues = await transitions_store.queues(connection)
            if self._is_news((Topic.QUEUE, None), queues):
                self._tell(Happening(topic=Topic.QUEUE, data={"queues": queues}))

    async def _tell_execution(
        self, connection: Connection, execution_id: int, place: Place | None
    ) -> None:
        data = await shown(connection, execution_id)
        if data is not None and self._is_news((Topic.EXECUTION, execution_id), data):
            self._tell(
                Happening(topic=Topic.EXECUTION, data=data, place=place, execution_id=execution_id)
            )

    def _is_wanted(self, execution_id: int) -> bool:
        return any(
            Topic.EXECUTION in one.wanted.topics and one.wanted.execution_id in {None, execution_id}
            for one in self._listeners
        )

    def _is_news(self, key: tuple[Topic, int | None], value: Any) -> bool:
        if len(self._surveyed) > BATCH:
            self._surveyed.clear()
        is_news: bool = self._surveyed.get(key) != value
        self._surveyed[key] = value
        return is_news

    def _tell(self, happening: Happening) -> None:
        for listener in self._listeners:
            listener.offer(happening)


async def shown(connection: Connection, execution_id: int) -> dict[str, Any] | None:
    """Return an execution as followers see it: status, counters and pace; None if it is gone."""
    execution = await executions_store.get(connection, execution_id)
    if execution is None:
        return None
    effort = await executions_store.effort(connection, execution_id)
    running = await progress_store.running(connection, execution_id)
    names = ("id", "vendor_type", "policy_id", "total", "succeeded", "failed", "stopped")
    return {
        **{name: getattr(execution, name) for name in names},
        "status": execution.status.value,
        "status_text": execution.status_text,
        "unchanged": execution.unchanged,
        "in_progress": execution.in_progress,
        **asdict(Pace.of(execution, effort, running)),
    }


def _told(transition: Transition) -> Happening:
    data = {name: value for name, value in asdict(transition).items() if name != "place"}
    return Happening(
        topic=Topic.TASK,
        data=data,
        place=transition.place,
        execution_id=transition.execution_id,
        task_id=transition.task_id,
    )
