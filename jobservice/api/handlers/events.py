"""What happens, live: server-sent events of executions, tasks and queues."""

from __future__ import annotations

from aiohttp import web

from jobservice import executions
from jobservice.api.models.base import ById, Nothing, OwnQuery
from jobservice.api.models.event import EventQuery
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.api.streaming import HEARTBEAT_SECONDS, MEDIA_TYPE, Stream, last_place
from jobservice.domain.happening import Happening, Topic, Wanted
from jobservice.errors import InvalidRequest
from jobservice.following import Listener

TAG = "event"
LIVE = (Topic.EXECUTION, Topic.TASK, Topic.QUEUE)


async def follow_everything(call: Call[Nothing, EventQuery, Nothing]) -> web.StreamResponse:
    """Tell what happens to executions, tasks and queues."""
    topics = _topics(call.query.type)
    return await _follow(call, Wanted(topics=topics, execution_id=call.query.execution_id))


async def follow_execution(call: Call[ById, OwnQuery, Nothing]) -> web.StreamResponse:
    """Tell what happens to an execution and its tasks; first how it is."""
    await executions.get(call.services.database, call.path.id)
    topics = frozenset({Topic.EXECUTION, Topic.TASK})
    return await _follow(call, Wanted(topics=topics, execution_id=call.path.id))


def _topics(text: str) -> frozenset[Topic]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    known = ", ".join(LIVE)
    unknown = [word for word in words if word not in LIVE]
    if unknown or not words:
        problems = [f"type: {word!r} is not known; known are {known}" for word in unknown]
        raise InvalidRequest(problems or [f"type: is empty; known are {known}"])
    return frozenset(Topic(word) for word in words)


async def _follow(
    call: Call[ById, EventQuery | OwnQuery, Nothing] | Call[Nothing, EventQuery, Nothing],
    wanted: Wanted,
) -> web.StreamResponse:
    since = last_place(call.request)
    stream = Stream(call)
    async with call.services.follower.listening(wanted, since) as (listener, missed):
        await stream.open()
        try:
            for happening in missed:
                await _send(stream, happening)
            await _tell(stream, listener)
        except ConnectionError:
            pass  # the client is gone
    await stream.close()
    return stream.response


async def _tell(stream: Stream, listener: Listener) -> None:
    while not listener.ended:
        happening = await listener.next(HEARTBEAT_SECONDS)
        if happening is not None:
            await _send(stream, happening)
        elif not listener.ended:
            await stream.comment("still here")
    await stream.send("end", {"message": listener.ended})


async def _send(stream: Stream, happening: Happening) -> None:
    identity = str(happening.place) if happening.place else ""
    await stream.send(happening.topic, happening.data, identity=identity)


ROUTES = (
    Route(
        method="GET",
        path=f"{API_ROOT}/events",
        handler=follow_everything,
        operation_id="followEvents",
        tag=TAG,
        query=EventQuery,
        response=str,
        media_type=MEDIA_TYPE,
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/executions/{{id}}/events",
        handler=follow_execution,
        operation_id="followExecution",
        tag=TAG,
        parameters=ById,
        query=OwnQuery,
        response=str,
        media_type=MEDIA_TYPE,
        errors=(404,),
    ),
)
