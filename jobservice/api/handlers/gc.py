"""Harbor's tag `gc`: collecting what nothing refers to any more."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice.api.handlers.upkeep import Desk, ScheduleCall
from jobservice.api.harbor import gc as harbor
from jobservice.api.models import gc as models
from jobservice.api.models.base import Nothing
from jobservice.api.models.upkeep import HistoryQuery, Schedule
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.collections import COLLECTIONS

TAG = "gc"
ROOT = f"{API_ROOT}/system/gc"
SCHEDULE = f"{ROOT}/schedule"
ONE = f"{ROOT}/{{gc_id}}"
DESK = Desk(
    upkeep=COLLECTIONS,
    root=ROOT,
    known=harbor.KNOWN,
    shown=harbor.run,
    problems=harbor.problems,
    parameters=harbor.parameters,
)


async def list_collections(call: Call[Nothing, HistoryQuery, Nothing]) -> web.Response:
    """List the garbage collections that ran, the latest first."""
    return await DESK.runs(call)


async def get_collection(call: Call[models.GcById, Nothing, Nothing]) -> web.Response:
    """Show a garbage collection, while it runs and after."""
    return await DESK.run(call, call.path.gc_id)


async def stop_collection(call: Call[models.GcById, Nothing, Nothing]) -> web.Response:
    """Stop a garbage collection; what went is gone, the rest waits for the next."""
    return await DESK.stop(call, call.path.gc_id)


async def get_collection_log(call: Call[models.GcById, Nothing, Nothing]) -> web.Response:
    """Show what a garbage collection wrote down."""
    return await DESK.log(call, call.path.gc_id)


async def get_schedule(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show when garbage is collected by itself; an empty object where it is not."""
    return await DESK.schedule(call)


async def create_schedule(call: ScheduleCall) -> web.Response:
    """Collect now (type Manual), or set when to collect unless that is set (None: never)."""
    return await DESK.create(call, anew=True)


async def update_schedule(call: ScheduleCall) -> web.Response:
    """Change when garbage is collected by itself; type Manual collects now."""
    return await DESK.update(call)


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_collections,
        operation_id="getGCHistory",
        tag=TAG,
        query=HistoryQuery,
        response=list[models.GCHistory],
    ),
    Route(
        method="GET",
        path=SCHEDULE,
        handler=get_schedule,
        operation_id="getGCSchedule",
        tag=TAG,
        response=models.GCHistory,
    ),
    Route(
        method="POST",
        path=SCHEDULE,
        handler=create_schedule,
        operation_id="createGCSchedule",
        tag=TAG,
        body=Schedule,
        status=201,
        errors=(409, 412),
        event=Event.CREATE_SCHEDULE,
    ),
    Route(
        method="PUT",
        path=SCHEDULE,
        handler=update_schedule,
        operation_id="updateGCSchedule",
        tag=TAG,
        body=Schedule,
        errors=(412,),
        event=Event.UPDATE_SCHEDULE,
    ),
    Route(
        method="GET",
        path=ONE,
        handler=get_collection,
        operation_id="getGC",
        tag=TAG,
        parameters=models.GcById,
        response=models.GCHistory,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=ONE,
        handler=stop_collection,
        operation_id="stopGC",
        tag=TAG,
        parameters=models.GcById,
        errors=(404,),
        event=Event.STOP_COLLECTION,
    ),
    Route(
        method="GET",
        path=f"{ONE}/log",
        handler=get_collection_log,
        operation_id="getGCLog",
        tag=TAG,
        parameters=models.GcById,
        response=str,
        media_type="text/plain",
        errors=(404,),
    ),
)
