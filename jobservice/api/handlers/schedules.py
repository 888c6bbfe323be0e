"""Harbor's tag `schedule`; and previews, and what became of fire times."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice import pauses, schedules
from jobservice.api import answering, listing
from jobservice.api.harbor import schedules as harbor
from jobservice.api.models import schedule as models
from jobservice.api.models.base import ById, Nothing, OwnPaging, OwnQuery
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.listing import Equals
from jobservice.domain.pause import Held, PauseScope
from jobservice.domain.schedule import ScheduleOptions
from jobservice.errors import InvalidRequest

TAG = "schedule"
ROOT = f"{API_ROOT}/schedules"
ALL = "all"
FIELDS = {
    "id": FieldType.INTEGER,
    "vendor_type": FieldType.TEXT,
    "vendor_id": FieldType.INTEGER,
    "cron": FieldType.TEXT,
    "enabled": FieldType.BOOLEAN,
    "creation_time": FieldType.TIME,
    "update_time": FieldType.TIME,
}
FIRE_FIELDS = {"fire_time": FieldType.TIME}


async def list_schedules(call: Call[Nothing, models.ScheduleListQuery, Nothing]) -> web.Response:
    """List the schedules, each with its next five runs."""
    asked = harbor.asked(listing.asked(call, FIELDS))
    found = await schedules.page(call.services.database, asked)
    return listing.answer(
        call, asked, found.schedules, lambda one: harbor.schedule(one, found.pause, now=found.now)
    )


async def get_schedule(call: Call[ById, OwnQuery, Nothing]) -> web.Response:
    """Show a schedule with its next five runs."""
    found = await schedules.get(call.services.database, call.path.id)
    return answering.json(harbor.schedule(found.schedule, found.pause, now=found.now))


async def get_paused(call: Call[models.SchedulePausedPath, Nothing, Nothing]) -> web.Response:
    """Tell whether schedules are paused."""
    _want_all(call.path)
    pause = await schedules.pause(call.services.database)
    return answering.json(models.SchedulerStatus(paused=pause is not None))


async def set_paused(
    call: Call[models.SchedulePausedPath, Nothing, models.SchedulePause],
) -> web.Response:
    """Pause all schedules, or let them go on."""
    _want_all(call.path)
    held = Held(scope=PauseScope.SCHEDULES)
    if call.body.paused:
        by = call.principal.username
        await pauses.pause(call.services.database, held, by=by, comment=call.body.comment)
    else:
        await pauses.resume(call.services.database, held)
    return web.Response()


def _want_all(path: models.SchedulePausedPath) -> None:
    if path.job_type.lower() != ALL:
        raise InvalidRequest(["job_type: schedules are paused all at once; ask for `all`"])


async def preview(call: Call[Nothing, models.PreviewQuery, Nothing]) -> web.Response:
    """Show the next five fire times of any expression."""
    options = ScheduleOptions(time_zone=call.query.time_zone)
    found = await schedules.preview(call.services.database, call.query.cron, options)
    return answering.json(harbor.preview(found))


async def list_fires(call: Call[ById, OwnPaging, Nothing]) -> web.Response:
    """List what became of a schedule's fire times, the latest first."""
    scope = Equals(field="schedule_id", value=call.path.id)
    asked = listing.asked(call, FIRE_FIELDS, scope, latest_first=True, by="fire_time")
    found = await schedules.fires(call.services.database, call.path.id, asked)
    return listing.answer(call, asked, found, harbor.fire)


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_schedules,
        operation_id="listSchedules",
        tag=TAG,
        query=models.ScheduleListQuery,
        response=list[models.ScheduleTask],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{ROOT}/preview",
        handler=preview,
        operation_id="previewSchedule",
        tag=TAG,
        query=models.PreviewQuery,
        response=models.SchedulePreview,
    ),
    Route(
        method="GET",
        path=f"{ROOT}/{{id}}",
        handler=get_schedule,
        operation_id="getSchedule",
        tag=TAG,
        parameters=ById,
        query=OwnQuery,
        response=models.ScheduleTask,
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{ROOT}/{{job_type}}/paused",
        handler=get_paused,
        operation_id="getSchedulePaused",
        tag=TAG,
        parameters=models.SchedulePausedPath,
        response=models.SchedulerStatus,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=f"{ROOT}/{{job_type}}/paused",
        handler=set_paused,
        operation_id="updateSchedulePaused",
        tag=TAG,
        parameters=models.SchedulePausedPath,
        body=models.SchedulePause,
        event=Event.PAUSE_QUEUE,
    ),
    Route(
        method="GET",
        path=f"{ROOT}/{{id}}/fires",
        handler=list_fires,
        operation_id="listScheduleFires",
        tag=TAG,
        parameters=ById,
        query=OwnPaging,
        response=list[models.ScheduleFire],
        errors=(404,),
    ),
)
