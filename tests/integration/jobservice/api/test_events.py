"""Server-sent events: what happens is told within a second and once, to whoever keeps up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse

from database.pool import Database
from jobservice import following
from jobservice.api.services import Services
from jobservice.domain.happening import Happening, Place, Topic, Wanted
from jobservice.following import Follower, Listener
from tests.integration.jobservice.api import answers
from tests.integration.jobservice.api.caller import ROOT, Caller
from tests.integration.jobservice.conftest import Jobs, Worker, until


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    name: str
    data: Any
    id: str


@dataclass(frozen=True, slots=True)
class Events:
    """A stream as a browser reads it."""

    response: ClientResponse

    async def next(self, *names: str, seconds: float = 10.0) -> Event:
        """The next event, or the next with one of these names."""
        async with asyncio.timeout(seconds):
            while True:
                found = await self._next()
                if not names or found.name in names:
                    return found

    async def rest(self) -> list[Event]:
        """Everything until the server ends it."""
        found = []
        async with asyncio.timeout(20):
            with contextlib.suppress(EOFError):
                while True:
                    found.append(await self._next())
        return found

    async def _next(self) -> Event:
        fields = {"event": "", "data": "", "id": ""}
        while True:
            line = (await self.response.content.readline()).decode()
            if not line:
                raise EOFError
            name, _, value = line.rstrip("\n").partition(": ")
            if name in fields:
                fields[name] = value
            elif not name and fields["data"]:
                data = json.loads(fields["data"])
                return Event(name=fields["event"], data=data, id=fields["id"])


@contextlib.asynccontextmanager
async def following_at(caller: Caller, path: str, **headers: str) -> AsyncIterator[Events]:
    given = {"Authorization": caller.authorization or "", **headers}
    async with caller.client.get(ROOT + path, headers=given) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        answers.check("GET", response.url.path, 200, None, media_type=response.content_type)
        assert response.headers["X-Request-Id"]
        yield Events(response)


async def test_an_execution_is_followed_from_its_start_to_its_end(
    admin: Caller, jobs_at: Jobs, worker: Worker
) -> None:
    execution_id = await jobs_at.start([{}, {"do": "flaky"}])
    async with following_at(admin, f"/executions/{execution_id}/events") as events:
        first = await events.next()
        assert (first.name, first.data["status"], first.data["total"]) == (
            "execution",
            "pending",
            0,
        )
        seen: list[Event] = []
        async with worker():
            while not (seen and seen[-1].data.get("status") == "succeeded"):
                seen.append(await events.next("task", "execution"))
        assert (seen[-1].data["succeeded"], seen[-1].data["in_progress"]) == (2, 0)
    steps = [event for event in seen if event.name == "task"]
    told = [(one.data["task_id"], one.data["was"], one.data["becomes"]) for one in steps]
    async with jobs_at.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT task_id, was, becomes FROM jobservice.task_events ORDER BY xact, id"
        )
    assert told == [tuple(row.values()) for row in rows]
    assert {one.data["execution_id"] for one in steps} == {execution_id}


async def test_what_happens_is_told_within_a_second(
    admin: Caller, jobs_at: Jobs, worker: Worker
) -> None:
    async with following_at(admin, "/events?type=task") as events, worker():
        await jobs_at.start([{}])
        ended = await events.next()
        while ended.data["becomes"] != "succeeded":
            ended = await events.next()
        late = await jobs_at.one(
            "SELECT extract(epoch FROM clock_timestamp() - $1::text::timestamptz)",
            ended.data["occurred_at"],
        )
    assert late < 1


async def test_who_comes_back_is_told_what_was_missed_and_nothing_twice(
    admin: Caller, jobs_at: Jobs, worker: Worker
) -> None:
    async with following_at(admin, "/events?type=task") as events, worker():
        execution_id = await jobs_at.start([{}, {}])
        first = await events.next()
        await jobs_at.ended(execution_id)
    back = {"Last-Event-ID": first.id}
    async with following_at(admin, "/events?type=task", **back) as events, worker():
        again = await jobs_at.start([{}])
        missed: list[Event] = []
        while not (missed and missed[-1].data["execution_id"] == again):
            missed.append(await events.next())
    told = [event.id for event in missed[:-1]]
    async with jobs_at.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT xact, id FROM jobservice.task_events WHERE execution_id = $1 ORDER BY xact, id",
            execution_id,
        )
    assert [first.id, *told] == [f"{row['xact']}.{row['id']}" for row in rows]


async def test_a_row_of_a_transaction_that_ends_late_is_told_all_the_same(
    database: Database, admin: Caller, jobs_at: Jobs
) -> None:
    slow, fast = await jobs_at.start([]), await jobs_at.start([])
    stop = (
        "UPDATE jobservice.tasks SET status = 'stopped', ended_at = now() WHERE execution_id = $1"
    )
    count = "UPDATE jobservice.executions SET plan_status = 'stopped' WHERE id = $1"
    async with following_at(admin, "/events?type=task") as events:
        async with database.transaction() as late:
            await late.execute(stop, slow)
            await late.execute(count, slow)
            async with database.transaction() as early:
                await early.execute(stop, fast)
                await early.execute(count, fast)
            with pytest.raises(TimeoutError):
                await events.next(seconds=following.LOOK_SECONDS * 3)
        both = [await events.next(), await events.next()]
    assert [event.data["execution_id"] for event in both] == [slow, fast]


async def test_queues_are_counted_by_job_type(admin: Caller, jobs_at: Jobs) -> None:
    async with following_at(admin, "/events?type=queue") as events:
        assert (await events.next()).data == {"queues": {}}
        await jobs_at.start([])
        await jobs_at.start([])
        found = await events.next()
        while found.data["queues"].get("plan") != {"pending": 2}:
            found = await events.next()


async def test_nobody_reads_while_nobody_listens(admin: Caller) -> None:
    def readers() -> list[str]:
        return [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "follower"]

    assert readers() == []
    async with following_at(admin, "/events"), following_at(admin, "/events"):
        assert readers() == ["follower"]

    async def nobody_reads() -> bool:
        return readers() == []

    await until(nobody_reads)


async def test_a_listener_that_falls_behind_is_dropped_with_a_sentence() -> None:
    listener = Listener(Wanted(topics=frozenset({Topic.TASK})))
    happening = Happening(topic=Topic.TASK, data={})
    for _ in range(following.QUEUE_LIMIT):
        listener.offer(happening)
    assert not listener.ended
    listener.offer(happening)
    assert "behind and is dropped" in listener.ended
    assert await listener.next(1) is None
    listener.offer(happening)
    assert await listener.next(0.01) is None


async def test_streams_end_with_the_server(admin: Caller, services: Services) -> None:
    async with following_at(admin, "/events") as events:
        await events.next("queue")
        await services.follower.close()
        ended = (await events.rest())[-1]
    assert (ended.name, ended.data) == ("end", {"message": "the server shuts down"})
    async with following_at(admin, "/events") as events:
        assert [event.name for event in await events.rest()] == ["end"]


async def test_what_cannot_be_followed_is_refused(admin: Caller, nobody: Caller) -> None:
    refused = await admin.get("/events?type=task,nonsense")
    assert (refused.status, "'nonsense' is not known" in refused.messages) == (400, True)
    assert (await admin.get("/events?typ=task")).status == 400
    assert (await admin.get("/events", headers={"Last-Event-ID": "7; DROP"})).status == 400
    assert (await admin.get("/executions/7/events")).status == 404
    assert (await nobody.get("/executions/7/events")).status == 403


async def test_who_was_away_too_long_is_told_to_look_anew(
    database: Database, monkeypatch: pytest.MonkeyPatch, jobs_at: Jobs, worker: Worker
) -> None:
    monkeypatch.setattr(following, "REPLAY_LIMIT", 2)
    async with worker():
        await jobs_at.ended(await jobs_at.start([{}]))
    follower = Follower(database)
    since = Place(xact=1)
    wanted = Wanted(topics=frozenset({Topic.TASK, Topic.GAP}))
    async with follower.listening(wanted, since) as (_, missed):
        (gap,) = missed
    assert "look anew" in gap.data["message"]
