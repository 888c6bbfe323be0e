"""Pauses: what operators hold back."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from access.audit import Event
from jobservice import pauses, queues
from jobservice.api import answering
from jobservice.api.models import task as models
from jobservice.api.models.base import Nothing, OwnQuery
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.pause import Held, PauseScope
from jobservice.errors import NotFound

TAG = "pause"
ROOT = f"{API_ROOT}/pauses"


async def list_pauses(call: Call[Nothing, OwnQuery, Nothing]) -> web.Response:
    """List everything that is held back, by whom, since when and why."""
    found = await pauses.page(call.services.database)
    shown = [
        models.PauseShown(
            scope=pause.held.scope,
            key=pause.held.key,
            name=pause.name or pause.held.key,
            paused_by=pause.paused_by,
            paused_at=pause.paused_at,
            comment=pause.comment,
        )
        for pause in found
    ]
    return answering.json(shown)


async def pause(call: Call[Nothing, OwnQuery, models.PauseWish]) -> web.Response:
    """Hold something back; what runs goes on, and what is held back already stays so."""
    held = Held(scope=call.body.scope, key=call.body.key)
    if held.scope is PauseScope.JOB_TYPE and held.key:
        await queues.want_type(call.services.database, held.key)
    await pauses.pause(
        call.services.database, held, by=call.principal.username, comment=call.body.comment
    )
    return web.Response()


async def resume(call: Call[models.PausePath, OwnQuery, Nothing]) -> web.Response:
    """Let schedules, or everything, go on."""
    return await _resume(call, Held(scope=call.path.scope))


async def resume_one(call: Call[models.KeyedPausePath, OwnQuery, Nothing]) -> web.Response:
    """Let a job type, a policy or a destination go on."""
    return await _resume(call, Held(scope=call.path.scope, key=call.path.key))


async def _resume(call: Call[Any, OwnQuery, Nothing], held: Held) -> web.Response:
    if not await pauses.resume(call.services.database, held):
        raise NotFound("pause of", str(held))
    return web.Response()


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_pauses,
        operation_id="listPauses",
        tag=TAG,
        query=OwnQuery,
        response=list[models.PauseShown],
    ),
    Route(
        method="POST",
        path=ROOT,
        handler=pause,
        operation_id="pause",
        tag=TAG,
        query=OwnQuery,
        body=models.PauseWish,
        errors=(404,),
        event=Event.PAUSE_QUEUE,
    ),
    Route(
        method="DELETE",
        path=f"{ROOT}/{{scope}}",
        handler=resume,
        operation_id="resume",
        tag=TAG,
        parameters=models.PausePath,
        query=OwnQuery,
        errors=(404,),
        event=Event.RESUME_QUEUE,
    ),
    Route(
        method="DELETE",
        path=f"{ROOT}/{{scope}}/{{key}}",
        handler=resume_one,
        operation_id="resumeOne",
        tag=TAG,
        parameters=models.KeyedPausePath,
        query=OwnQuery,
        errors=(404,),
        event=Event.RESUME_QUEUE,
    ),
)
