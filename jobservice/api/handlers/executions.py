"""Harbor's tag `replication`: executions, their tasks and logs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from access.audit import Event
from jobservice import executions
from jobservice.api import answering, listing
from jobservice.api.harbor import executions as harbor
from jobservice.api.models import replication as models
from jobservice.api.models.base import ById, Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.execution import Execution
from jobservice.domain.listing import Condition, Equals
from jobservice.errors import NotFound
from jobservice.policy_starts import VENDOR_TYPE

TAG = "replication"
ROOT = f"{API_ROOT}/replication/executions"
FIELDS = {
    "id": FieldType.INTEGER,
    "policy_id": FieldType.INTEGER,
    "total": FieldType.INTEGER,
    "failed": FieldType.INTEGER,
    "succeed": FieldType.INTEGER,
    "stopped": FieldType.INTEGER,
    "start_time": FieldType.TIME,
    "end_time": FieldType.TIME,
}
TASK_FIELDS = {
    "id": FieldType.INTEGER,
    "start_time": FieldType.TIME,
    "end_time": FieldType.TIME,
}


async def list_executions(
    call: Call[Nothing, models.ExecutionListQuery, Nothing],
) -> web.Response:
    """List the executions of replication policies, the latest first unless asked otherwise."""
    query = call.query
    conditions: list[Condition] = [
        Equals(field="vendor_type", value=VENDOR_TYPE),
        *harbor.execution_conditions(query.status, query.trigger),
    ]
    if query.policy_id:
        conditions.append(Equals(field="policy_id", value=query.policy_id))
    asked = listing.asked(call, FIELDS, *conditions, latest_first=True)
    found = await executions.page(call.services.database, asked)
    return listing.answer(call, asked, found, harbor.execution)


async def start_execution(
    call: Call[Nothing, Nothing, models.StartReplicationExecution],
) -> web.Response:
    """Start a policy."""
    execution_id = await call.services.policies.start(
        call.body.policy_id, started_by=call.principal.username
    )
    return answering.created(call, execution_id)


async def get_execution(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Show an execution."""
    found = await _wanted(call)
    account = await executions.account(call.services.database, call.path.id)
    return answering.json(harbor.execution(found, account))


async def stop_execution(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Stop an execution."""
    await _wanted(call)
    await executions.stop(call.services.database, call.path.id, by=call.principal.username)
    return web.Response()


async def list_tasks(call: Call[ById, models.TaskListQuery, Nothing]) -> web.Response:
    """List the tasks of an execution."""
    await _wanted(call)
    conditions = harbor.task_conditions(call.query.status, call.query.resource_type)
    asked = listing.asked(call, TASK_FIELDS, *conditions)
    found = await executions.tasks_page(call.services.database, call.path.id, asked)
    return listing.answer(call, asked, found, harbor.task)


async def get_task_log(call: Call[models.TaskPath, Nothing, Nothing]) -> web.Response:
    """Show the log of a task."""
    await _wanted(call)
    text = await executions.task_log(call.services.database, call.path.id, call.path.task_id)
    return web.Response(text=text, content_type="text/plain")


async def _wanted(call: Call[Any, Any, Any]) -> Execution:
    """Return the execution of the path; raise NotFound, also for what no policy started."""
    found = await executions.get(call.services.database, call.path.id)
    if found.vendor_type != VENDOR_TYPE:
        raise NotFound("execution", call.path.id)
    return found


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_executions,
        operation_id="listReplicationExecutions",
        tag=TAG,
        query=models.ExecutionListQuery,
        response=list[models.ReplicationExecution],
    ),
    Route(
        method="POST",
        path=ROOT,
        handler=start_execution,
        operation_id="startReplication",
        tag=TAG,
        body=models.StartReplicationExecution,
        status=201,
        errors=(404, 412),
        event=Event.START_EXECUTION,
    ),
    Route(
        method="GET",
        path=f"{ROOT}/{{id}}",
        handler=get_execution,
        operation_id="getReplicationExecution",
        tag=TAG,
        parameters=ById,
        response=models.ReplicationExecution,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=f"{ROOT}/{{id}}",
        handler=stop_execution,
        operation_id="stopReplication",
        tag=TAG,
        parameters=ById,
        errors=(404,),
        event=Event.STOP_EXECUTION,
    ),
    Route(
        method="GET",
        path=f"{ROOT}/{{id}}/tasks",
        handler=list_tasks,
        operation_id="listReplicationTasks",
        tag=TAG,
        parameters=ById,
        query=models.TaskListQuery,
        response=list[models.ReplicationTask],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{ROOT}/{{id}}/tasks/{{task_id}}/log",
        handler=get_task_log,
        operation_id="getReplicationLog",
        tag=TAG,
        parameters=models.TaskPath,
        response=str,
        media_type="text/plain",
        errors=(404,),
    ),
)
