"""Tasks of all executions: list, show, explain, stop, retry."""

from __future__ import annotations

from dataclasses import asdict

from aiohttp import web

from access.audit import Event
from jobservice import queues, tasks
from jobservice.api import answering, listing
from jobservice.api.models import task as models
from jobservice.api.models.base import ById, Nothing, OwnQuery
from jobservice.api.models.event import TaskById
from jobservice.api.models.replication import TransshipTaskError
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.listing import Equals
from jobservice.domain.task import Task
from jobservice.store.retrying import Matching

TAG = "task"
ROOT = f"{API_ROOT}/tasks"
ONE = f"{ROOT}/{{task_id}}"
REDIS = "redis"
FILTERS = ("status", "job_type", "policy_id", "execution_id", "worker_id")
FIELDS = {
    "id": FieldType.INTEGER,
    "execution_id": FieldType.INTEGER,
    "policy_id": FieldType.INTEGER,
    "worker_id": FieldType.INTEGER,
    "job_type": FieldType.TEXT,
    "status": FieldType.TEXT,
    "attempt": FieldType.INTEGER,
    "start_time": FieldType.TIME,
    "end_time": FieldType.TIME,
}


async def list_all(call: Call[Nothing, models.TaskQuery, Nothing]) -> web.Response:
    """List the tasks of all executions, the newest first unless asked otherwise."""
    given = ((name, getattr(call.query, name)) for name in FILTERS)
    conditions = [Equals(field=name, value=value) for name, value in given if value is not None]
    asked = listing.asked(call, FIELDS, *conditions, latest_first=True)
    found = await tasks.page(call.services.database, asked)
    return listing.answer(call, asked, found, _shown)


async def show(call: Call[TaskById, OwnQuery, Nothing]) -> web.Response:
    """Show a task."""
    return answering.json(_shown(await tasks.get(call.services.database, call.path.task_id)))


async def explain(call: Call[TaskById, OwnQuery, Nothing]) -> web.Response:
    """Say why a task is where it is: sentences for people, codes for machines."""
    redis = await call.services.health.check_one(REDIS)
    found = await tasks.explain(
        call.services.database,
        call.path.task_id,
        redis_problem=redis.problem,
        rates=call.services.rates,
    )
    return answering.json([models.ExplainedWhy(code=f.code, message=f.message) for f in found])


async def stop(call: Call[TaskById, OwnQuery, Nothing]) -> web.Response:
    """Stop a task; one that ended stays as it is."""
    found = await tasks.stop(call.services.database, call.path.task_id, by=call.principal.username)
    return answering.json(models.StopOutcome(**asdict(found)))


async def retry(call: Call[TaskById, OwnQuery, Nothing]) -> web.Response:
    """Let a task that failed or was stopped try again."""
    await tasks.retry(call.services.database, call.path.task_id, by=call.principal.username)
    return web.Response()


async def retry_execution(call: Call[ById, OwnQuery, Nothing]) -> web.Response:
    """Let the failed tasks of an execution try again."""
    found = await tasks.retry_execution(
        call.services.database, call.path.id, by=call.principal.username
    )
    return answering.json(_outcome(found))


async def stop_type(call: Call[Nothing, OwnQuery, models.StopWish]) -> web.Response:
    """Stop everything of a job type."""
    await queues.want_type(call.services.database, call.body.job_type)
    found = await tasks.stop_type(
        call.services.database,
        call.body.job_type,
        by=call.principal.username,
        running=call.body.running,
    )
    return answering.json(models.StopOutcome(**asdict(found)))


async def retry_matching(call: Call[Nothing, OwnQuery, models.RetryWish]) -> web.Response:
    """Let all tasks that match try again."""
    wanted = Matching(
        statuses=(call.body.status,),
        job_type=call.body.job_type,
        policy_id=call.body.policy_id,
        execution_id=call.body.execution_id,
    )
    found = await tasks.retry_matching(call.services.database, wanted, by=call.principal.username)
    return answering.json(_outcome(found))


def _outcome(found: tasks.Retried) -> models.RetryOutcome:
    return models.RetryOutcome(
        retried=found.retried, refused=found.refused, reasons=list(found.reasons)
    )


def _shown(found: Task) -> models.OneTask:
    return models.OneTask(
        id=found.id,
        execution_id=found.execution_id,
        job_type=found.job_type,
        status=found.status,
        # A failure that its plan met has no other reason.
        reason=found.reason or (found.error.message if found.error else ""),
        attempt=found.attempt,
        rescues=found.rescues,
        parameters=dict(found.parameters),
        result=dict(found.result) if found.result else None,
        error=TransshipTaskError(**found.error.to_json()) if found.error else None,
        worker_id=found.worker_id,
        not_before=found.not_before,
        created_at=found.created_at,
        started_at=found.started_at,
        ended_at=found.ended_at,
    )


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_all,
        operation_id="listTasks",
        tag=TAG,
        query=models.TaskQuery,
        response=list[models.OneTask],
    ),
    Route(
        method="POST",
        path=f"{ROOT}/retry",
        handler=retry_matching,
        operation_id="retryTasks",
        tag=TAG,
        query=OwnQuery,
        body=models.RetryWish,
        response=models.RetryOutcome,
        event=Event.RETRY_QUEUE,
    ),
    Route(
        method="POST",
        path=f"{ROOT}/stop",
        handler=stop_type,
        operation_id="stopTasks",
        tag=TAG,
        query=OwnQuery,
        body=models.StopWish,
        response=models.StopOutcome,
        errors=(404,),
        event=Event.STOP_QUEUE,
    ),
    Route(
        method="GET",
        path=ONE,
        handler=show,
        operation_id="getTask",
        tag=TAG,
        parameters=TaskById,
        query=OwnQuery,
        response=models.OneTask,
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{ONE}/explanation",
        handler=explain,
        operation_id="explainTask",
        tag=TAG,
        parameters=TaskById,
        query=OwnQuery,
        response=list[models.ExplainedWhy],
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{ONE}/stop",
        handler=stop,
        operation_id="stopTask",
        tag=TAG,
        parameters=TaskById,
        query=OwnQuery,
        response=models.StopOutcome,
        errors=(404,),
        event=Event.STOP_TASK,
    ),
    Route(
        method="POST",
        path=f"{ONE}/retry",
        handler=retry,
        operation_id="retryTask",
        tag=TAG,
        parameters=TaskById,
        query=OwnQuery,
        errors=(404, 412),
        event=Event.RETRY_TASK,
    ),
    Route(
        method="POST",
        path=f"{API_ROOT}/executions/{{id}}/retry",
        handler=retry_execution,
        operation_id="retryExecution",
        tag=TAG,
        parameters=ById,
        query=OwnQuery,
        response=models.RetryOutcome,
        errors=(404,),
        event=Event.RETRY_EXECUTION,
    ),
)
