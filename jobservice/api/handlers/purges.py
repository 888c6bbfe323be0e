"""Harbor's tag `purge`: taking old entries out of the audit log."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice.api.handlers.upkeep import Desk, ScheduleCall
from jobservice.api.harbor import purges as harbor
from jobservice.api.models import purge as models
from jobservice.api.models.base import Nothing
from jobservice.api.models.upkeep import ExecHistory, HistoryQuery, Schedule
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.purges import PURGES

TAG = "purge"
ROOT = f"{API_ROOT}/system/purgeaudit"
SCHEDULE = f"{ROOT}/schedule"
ONE = f"{ROOT}/{{purge_id}}"
DESK = Desk(
    upkeep=PURGES,
    root=ROOT,
    known=harbor.KNOWN,
    shown=harbor.run,
    problems=harbor.problems,
    parameters=harbor.parameters,
)


async def list_purges(call: Call[Nothing, HistoryQuery, Nothing]) -> web.Response:
    """List the purges that ran, the latest first."""
    return await DESK.runs(call)


async def get_purge(call: Call[models.PurgeById, Nothing, Nothing]) -> web.Response:
    """Show a purge."""
    return await DESK.run(call, call.path.purge_id)


async def stop_purge(call: Call[models.PurgeById, Nothing, Nothing]) -> web.Response:
    """Stop a purge; what it deleted stays deleted."""
    return await DESK.stop(call, call.path.purge_id)


async def get_purge_log(call: Call[models.PurgeById, Nothing, Nothing]) -> web.Response:
    """Show what a purge wrote down."""
    return await DESK.log(call, call.path.purge_id)


async def get_schedule(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show when purges run by themselves; an empty object where they do not."""
    return await DESK.schedule(call)


async def create_schedule(call: ScheduleCall) -> web.Response:
    """Start a purge (type Manual), or set when purges run by themselves (None: never)."""
    return await DESK.create(call)


async def update_schedule(call: ScheduleCall) -> web.Response:
    """Change when purges run by themselves, as POST does."""
    return await DESK.update(call)


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_purges,
        operation_id="getPurgeHistory",
        tag=TAG,
        query=HistoryQuery,
        response=list[ExecHistory],
    ),
    Route(
        method="GET",
        path=SCHEDULE,
        handler=get_schedule,
        operation_id="getPurgeSchedule",
        tag=TAG,
        response=ExecHistory,
    ),
    Route(
        method="POST",
        path=SCHEDULE,
        handler=create_schedule,
        operation_id="createPurgeSchedule",
        tag=TAG,
        body=Schedule,
        status=201,
        event=Event.CREATE_SCHEDULE,
    ),
    Route(
        method="PUT",
        path=SCHEDULE,
        handler=update_schedule,
        operation_id="updatePurgeSchedule",
        tag=TAG,
        body=Schedule,
        event=Event.UPDATE_SCHEDULE,
    ),
    Route(
        method="GET",
        path=ONE,
        handler=get_purge,
        operation_id="getPurgeJob",
        tag=TAG,
        parameters=models.PurgeById,
        response=ExecHistory,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=ONE,
        handler=stop_purge,
        operation_id="stopPurge",
        tag=TAG,
        parameters=models.PurgeById,
        errors=(404,),
        event=Event.STOP_PURGE,
    ),
    Route(
        method="GET",
        path=f"{ONE}/log",
        handler=get_purge_log,
        operation_id="getPurgeJobLog",
        tag=TAG,
        parameters=models.PurgeById,
        response=str,
        media_type="text/plain",
        errors=(404,),
    ),
)
