"""What one task went through: its timeline, and its log as it is written."""

from __future__ import annotations

from aiohttp import web

from jobservice import task_logs, timelines
from jobservice.api import answering
from jobservice.api.models import event as models
from jobservice.api.models.base import Nothing, OwnQuery
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.api.streaming import HEARTBEAT_SECONDS, MEDIA_TYPE, Stream, last_place
from jobservice.store.logs import Chunk

TAG = "event"
ONE = f"{API_ROOT}/tasks/{{task_id}}"


async def show_timeline(call: Call[models.TaskById, OwnQuery, Nothing]) -> web.Response:
    """Show every step of a task's life: when, by which worker, and why."""
    found = await timelines.of_task(call.services.database, call.path.task_id)
    first = models.Transition(
        occurred_at=found.created_at,
        becomes=found.first,
        delivery=0,
        attempt=1,
        fence=0,
        reason="settled by its plan" if found.first.is_final else None,
    )
    steps = [
        models.Transition(
            occurred_at=step.occurred_at,
            was=step.was,
            becomes=step.becomes,
            delivery=step.delivery,
            attempt=step.attempt,
            fence=step.fence,
            worker_id=step.worker_id,
            worker=step.worker or None,
            reason=step.reason or None,
        )
        for step in found.steps
    ]
    return answering.json([first, *steps])


async def show_log(call: Call[models.TaskById, models.LogQuery, Nothing]) -> web.StreamResponse:
    """Show what a task wrote down, or those lines that contain a text; `follow` goes on live."""
    await timelines.want(call.services.database, call.path.task_id)
    contains = call.query.contains or ""
    if call.query.follow:
        return await _follow_log(call, contains)
    text = await task_logs.text(call.services.database, call.path.task_id, contains=contains)
    return web.Response(text=text, content_type="text/plain")


async def _follow_log(
    call: Call[models.TaskById, models.LogQuery, Nothing], contains: str
) -> web.StreamResponse:
    since = last_place(call.request)
    place = (since.xact, since.id) if since else task_logs.BEGINNING
    stream = Stream(call)
    await stream.open()
    lines = task_logs.followed(
        call.services.database, call.path.task_id, place, stop=call.services.follower.closed
    )
    silent = 0.0
    try:
        async for one in lines:
            silent = silent + task_logs.LOOK_SECONDS if one is None else 0.0
            if isinstance(one, Chunk):
                text = task_logs.matching(one.text, contains)
                if text:
                    identity = f"{one.fence}.{one.sequence}"
                    await stream.send("log", {"text": text}, identity=identity)
            elif one is not None:
                await stream.send("end", {"status": one.value})
            elif silent >= HEARTBEAT_SECONDS:
                silent = 0.0
                await stream.comment("still here")
    except ConnectionError:
        pass  # the client is gone
    await stream.close()
    return stream.response


ROUTES = (
    Route(
        method="GET",
        path=f"{ONE}/timeline",
        handler=show_timeline,
        operation_id="getTaskTimeline",
        tag=TAG,
        parameters=models.TaskById,
        query=OwnQuery,
        response=list[models.Transition],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{ONE}/log",
        handler=show_log,
        operation_id="getTaskLog",
        tag=TAG,
        parameters=models.TaskById,
        query=models.LogQuery,
        response=str,
        media_type="text/plain",
        other_media_types=(MEDIA_TYPE,),
        errors=(404,),
    ),
)
