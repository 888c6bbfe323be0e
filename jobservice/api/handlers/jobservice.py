"""Harbor's tag `jobservice`: its queues are our job types, its pools our workers."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice import executions, pauses, queues, tasks
from jobservice.api import answering
from jobservice.api.harbor import jobservice as harbor
from jobservice.api.models import jobservice as models
from jobservice.api.models.base import Nothing
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.pause import Held, PauseScope
from jobservice.errors import InvalidRequest, NotFound

TAG = "jobservice"
ROOT = f"{API_ROOT}/jobservice"
ALL = "all"
EVERYTHING = Held(scope=PauseScope.EVERYTHING)
SCHEDULES = Held(scope=PauseScope.SCHEDULES)


async def list_pools(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """List the worker processes."""
    return answering.json(
        [harbor.pool(worker) for worker in await queues.workers(call.services.database)]
    )


async def list_workers(call: Call[models.PoolPath, Nothing, Nothing]) -> web.Response:
    """List the slots of a worker process, or of all."""
    found = await queues.workers(call.services.database)
    wanted = [w for w in found if call.path.pool_id.lower() in {ALL, str(w.id)}]
    if not wanted and call.path.pool_id.lower() != ALL:
        raise NotFound("worker pool", call.path.pool_id)
    running = await queues.slots(call.services.database)
    return answering.json([slot for worker in wanted for slot in harbor.slots(worker, running)])


async def stop_job(call: Call[models.JobPath, Nothing, Nothing]) -> web.Response:
    """Stop a running task, or all that run."""
    by = call.principal.username
    if call.path.job_id.lower() == ALL:
        await tasks.stop_running(call.services.database, by=by)
    else:
        await tasks.stop(call.services.database, harbor.task_id(call.path.job_id), by=by)
    return web.Response()


async def show_log(call: Call[models.JobPath, Nothing, Nothing]) -> web.Response:
    """Show what a task wrote down."""
    found = await tasks.get(call.services.database, harbor.task_id(call.path.job_id))
    text = await executions.task_log(call.services.database, found.execution_id, found.id)
    return web.Response(text=text, content_type="text/plain")


async def list_queues(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """List the job types: how many tasks wait, for how long, and whether they are held back."""
    return answering.json(list(harbor.queues(await queues.listed(call.services.database))))


async def act(call: Call[models.JobTypePath, Nothing, models.ActionRequest]) -> web.Response:
    """Stop what waits of a job type, hold it back, or let it go on; `all` means every type."""
    if call.body.action is None:
        raise InvalidRequest(["action: is missing; it is stop, pause or resume"])
    job_type = call.path.job_type
    if job_type.upper() == harbor.SCHEDULER:
        await _act_on_schedules(call)
    elif job_type.lower() == ALL:
        await _act_on_all(call)
    else:
        await _act_on_type(call, job_type)
    return web.Response()


async def _act_on_type(
    call: Call[models.JobTypePath, Nothing, models.ActionRequest], job_type: str
) -> None:
    database, by = call.services.database, call.principal.username
    match call.body.action:
        case "pause":
            await queues.pause_type(database, job_type, by=by)
        case "resume":
            await queues.want_type(database, job_type)
            await pauses.resume(database, Held(scope=PauseScope.JOB_TYPE, key=job_type))
        case _:
            await queues.want_type(database, job_type)
            await tasks.stop_type(database, job_type, by=by, running=False)


async def _act_on_all(call: Call[models.JobTypePath, Nothing, models.ActionRequest]) -> None:
    database, by = call.services.database, call.principal.username
    match call.body.action:
        case "pause":
            await pauses.pause(database, EVERYTHING, by=by)
        case "resume":
            await queues.resume_everything(database)
        case _:
            await tasks.stop_type(database, "", by=by, running=False)


async def _act_on_schedules(call: Call[models.JobTypePath, Nothing, models.ActionRequest]) -> None:
    match call.body.action:
        case "pause":
            await pauses.pause(call.services.database, SCHEDULES, by=call.principal.username)
        case "resume":
            await pauses.resume(call.services.database, SCHEDULES)
        case _:
            raise InvalidRequest(["action: schedules have no tasks of their own to stop"])


ROUTES = (
    Route(
        method="GET",
        path=f"{ROOT}/pools",
        handler=list_pools,
        operation_id="getWorkerPools",
        tag=TAG,
        response=list[models.WorkerPool],
    ),
    Route(
        method="GET",
        path=f"{ROOT}/pools/{{pool_id}}/workers",
        handler=list_workers,
        operation_id="getWorkers",
        tag=TAG,
        parameters=models.PoolPath,
        response=list[models.Worker],
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=f"{ROOT}/jobs/{{job_id}}",
        handler=stop_job,
        operation_id="stopRunningJob",
        tag=TAG,
        parameters=models.JobPath,
        errors=(404,),
        event=Event.STOP_TASK,
    ),
    Route(
        method="GET",
        path=f"{ROOT}/jobs/{{job_id}}/log",
        handler=show_log,
        operation_id="actionGetJobLog",
        tag=TAG,
        parameters=models.JobPath,
        response=str,
        media_type="text/plain",
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{ROOT}/queues",
        handler=list_queues,
        operation_id="listJobQueues",
        tag=TAG,
        response=list[models.JobQueue],
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=f"{ROOT}/queues/{{job_type}}",
        handler=act,
        operation_id="actionPendingJobs",
        tag=TAG,
        parameters=models.JobTypePath,
        body=models.ActionRequest,
        errors=(404,),
        event=Event.STOP_QUEUE,
    ),
)
