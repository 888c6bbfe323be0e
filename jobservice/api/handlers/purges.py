"""Harbor's tag `purge`: taking old entries out of the audit log."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice import purges
from jobservice.api import answering, listing
from jobservice.api.harbor import purges as harbor
from jobservice.api.models import purge as models
from jobservice.api.models.base import Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route

TAG = "purge"
ROOT = f"{API_ROOT}/system/purgeaudit"
SCHEDULE = f"{ROOT}/schedule"
ONE = f"{ROOT}/{{purge_id}}"
# In Harbor's words, and in the store's.
FIELDS = {"id": FieldType.INTEGER, "start_time": FieldType.TIME, "end_time": FieldType.TIME}


async def list_purges(call: Call[Nothing, models.PurgeQuery, Nothing]) -> web.Response:
    """List the purges that ran, the latest first."""
    asked = listing.asked(call, FIELDS, latest_first=True)
    found = await purges.page(call.services.database, asked)
    return listing.answer(call, asked, found, harbor.run)


async def get_purge(call: Call[models.PurgeById, Nothing, Nothing]) -> web.Response:
    """Show a purge."""
    return answering.json(harbor.run(await purges.get(call.services.database, call.path.purge_id)))


async def stop_purge(call: Call[models.PurgeById, Nothing, Nothing]) -> web.Response:
    """Stop a purge; what it deleted stays deleted."""
    await purges.stop(call.services.database, call.path.purge_id, by=call.principal.username)
    return web.Response()


async def get_purge_log(call: Call[models.PurgeById, Nothing, Nothing]) -> web.Response:
    """Show what a purge wrote down."""
    text = await purges.log(call.services.database, call.path.purge_id)
    return web.Response(text=text, content_type="text/plain")


async def get_schedule(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show when purges run by themselves; an empty object where they do not."""
    return answering.json(harbor.scheduled(await purges.scheduled(call.services.database)))


async def create_schedule(call: Call[Nothing, Nothing, models.Schedule]) -> web.Response:
    """Start a purge (type Manual), or set when purges run by themselves (None: never)."""
    started = await _apply(call)
    if started is None:
        return answering.created(call, "")
    return web.Response(status=201, headers={"Location": f"{ROOT}/{started}"})


async def update_schedule(call: Call[Nothing, Nothing, models.Schedule]) -> web.Response:
    """Change when purges run by themselves, as POST does."""
    await _apply(call)
    return web.Response()


async def _apply(call: Call[Nothing, Nothing, models.Schedule]) -> int | None:
    """Do what the schedule's type says; return the id of what was started."""
    parameters = harbor.parameters(call.body)
    call.ignored += harbor.overlooked(call.body)
    database = call.services.database
    if call.body.schedule is not None and call.body.schedule.type == harbor.MANUAL:
        return await purges.start(database, parameters, by=call.principal.username)
    await purges.schedule(database, harbor.timing(call.body), parameters)
    return None


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_purges,
        operation_id="getPurgeHistory",
        tag=TAG,
        query=models.PurgeQuery,
        response=list[models.ExecHistory],
    ),
    Route(
        method="GET",
        path=SCHEDULE,
        handler=get_schedule,
        operation_id="getPurgeSchedule",
        tag=TAG,
        response=models.ExecHistory,
    ),
    Route(
        method="POST",
        path=SCHEDULE,
        handler=create_schedule,
        operation_id="createPurgeSchedule",
        tag=TAG,
        body=models.Schedule,
        status=201,
        event=Event.CREATE_SCHEDULE,
    ),
    Route(
        method="PUT",
        path=SCHEDULE,
        handler=update_schedule,
        operation_id="updatePurgeSchedule",
        tag=TAG,
        body=models.Schedule,
        event=Event.UPDATE_SCHEDULE,
    ),
    Route(
        method="GET",
        path=ONE,
        handler=get_purge,
        operation_id="getPurgeJob",
        tag=TAG,
        parameters=models.PurgeById,
        response=models.ExecHistory,
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
