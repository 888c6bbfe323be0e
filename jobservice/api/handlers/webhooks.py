"""Harbor's tag `webhook`: hooks of the whole installation, and what became of their messages.

The same handlers answer for the hooks of a project; `project_webhooks` has those paths.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from access.audit import Event
from jobservice import executions
from jobservice.api import answering, listing
from jobservice.api.harbor import projects
from jobservice.api.harbor import webhooks as harbor
from jobservice.api.models import webhook as models
from jobservice.api.models.base import ById, Nothing, OwnQuery
from jobservice.api.models.project import ProjectPath
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.listing import Equals
from jobservice.errors import NotFound
from jobservice.hooks import Hooks
from jobservice.store.hook_deliveries import VENDOR_TYPE

TAG = "webhook"
ROOT = f"{API_ROOT}/system/webhook"
POLICY = f"{ROOT}/policies/{{id}}"
FIELDS = {
    "id": FieldType.INTEGER,
    "name": FieldType.TEXT,
    "description": FieldType.TEXT,
    "enabled": FieldType.BOOLEAN,
    "creator": FieldType.TEXT,
    "creation_time": FieldType.TIME,
    "update_time": FieldType.TIME,
}
EXECUTION_FIELDS = {
    "id": FieldType.INTEGER,
    "start_time": FieldType.TIME,
    "end_time": FieldType.TIME,
}
TASK_FIELDS = EXECUTION_FIELDS
DELIVERY_FIELDS = {
    "id": FieldType.INTEGER,
    "event_id": FieldType.TEXT,
    "event_type": FieldType.TEXT,
    "target": FieldType.TEXT,
    "status": FieldType.TEXT,
    "response_code": FieldType.INTEGER,
    "created_at": FieldType.TIME,
}

HookCall = Call[ById, Nothing, Nothing]
ListCall = Call[ById, models.HookListQuery, Nothing]


async def list_events(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show which events, targets and payload formats there are."""
    hooks = await _hooks(call)
    return answering.json(harbor.supported(project_id=hooks.project_id))


async def list_policies(call: Call[Nothing, models.HookListQuery, Nothing]) -> web.Response:
    """List the hooks of the installation."""
    asked = listing.asked(call, FIELDS)
    found = await (await _hooks(call)).page(asked)
    return listing.answer(call, asked, found, harbor.policy)


async def create_policy(call: Call[Nothing, Nothing, models.WebhookPolicy]) -> web.Response:
    """Add a hook."""
    hooks = await _hooks(call)
    wanted = harbor.wanted(call.body, project_id=hooks.project_id)
    hook_id = await hooks.create(wanted, creator=call.principal.username)
    return answering.created(call, hook_id)


async def get_policy(call: HookCall) -> web.Response:
    """Show a hook."""
    return answering.json(harbor.policy(await (await _hooks(call)).get(call.path.id)))


async def update_policy(call: Call[ById, Nothing, models.WebhookPolicy]) -> web.Response:
    """Change a hook."""
    hooks = await _hooks(call)
    await hooks.update(call.path.id, harbor.wanted(call.body, project_id=hooks.project_id))
    return web.Response()


async def delete_policy(call: HookCall) -> web.Response:
    """Remove a hook with its deliveries."""
    await (await _hooks(call)).delete(call.path.id)
    return web.Response()


async def list_executions(call: ListCall) -> web.Response:
    """List what a hook was told, the latest first unless asked otherwise."""
    await (await _hooks(call)).get(call.path.id)
    scope = (
        Equals(field="vendor_type", value=VENDOR_TYPE),
        Equals(field="vendor_id", value=call.path.id),
    )
    asked = listing.asked(call, EXECUTION_FIELDS, *scope, latest_first=True)
    found = await executions.page(call.services.database, asked)
    return listing.answer(call, asked, found, lambda one: harbor.execution(one, call.path.id))


async def list_tasks(
    call: Call[models.HookExecutionPath, models.HookListQuery, Nothing],
) -> web.Response:
    """List the messages of one event to a hook's targets."""
    await _want_execution(call, call.path.id, call.path.execution_id)
    asked = listing.asked(call, TASK_FIELDS)
    found = await executions.tasks_page(call.services.database, call.path.execution_id, asked)
    return listing.answer(call, asked, found, harbor.task)


async def get_task_log(call: Call[models.HookTaskPath, Nothing, Nothing]) -> web.Response:
    """Show what a message's task wrote down."""
    path = call.path
    await _want_execution(call, path.id, path.execution_id)
    text = await executions.task_log(call.services.database, path.execution_id, path.task_id)
    return web.Response(text=text, content_type="text/plain")


async def list_last_triggers(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show when each hook last told of each of its types of event."""
    found = await (await _hooks(call)).last_triggers()
    return answering.json([harbor.last_trigger(one) for one in found])


async def try_policy(call: HookCall) -> web.Response:
    """Send a test to every target of a hook, once."""
    begun = await (await _hooks(call)).try_out(call.path.id, by=call.principal.username)
    return answering.json(models.HookTest(deliveries=list(begun)), status=202)


async def list_deliveries(
    call: Call[ById, models.DeliveryListQuery, Nothing],
) -> web.Response:
    """List a hook's deliveries, the latest first unless asked otherwise."""
    asked = listing.asked(call, DELIVERY_FIELDS, latest_first=True)
    found = await (await _hooks(call)).deliveries(call.path.id, asked)
    return listing.answer(call, asked, found, harbor.delivery)


async def get_delivery(call: Call[models.HookDeliveryPath, Nothing, Nothing]) -> web.Response:
    """Show a delivery with what was sent and what came back."""
    found = await (await _hooks(call)).delivery(call.path.id, call.path.delivery_id)
    return answering.json(harbor.delivery(found, whole=True))


async def redeliver(call: Call[models.HookDeliveryPath, Nothing, Nothing]) -> web.Response:
    """Send a message again as it was, under the same event id."""
    path = call.path
    new_id = await (await _hooks(call)).redeliver(
        path.id, path.delivery_id, by=call.principal.username
    )
    beside, _, _ = call.request.path.rpartition(f"/{path.delivery_id}/redeliver")
    location = f"{beside}/{new_id}"
    return web.Response(status=201, headers={"Location": location})


async def _hooks(call: Call[Any, Any, Any]) -> Hooks:
    """Return the hooks that the path is about: a project's, or the installation's."""
    hooks = call.services.hooks
    if not isinstance(call.path, ProjectPath):
        return hooks
    key = projects.key(call.path.project_name_or_id, call.request.headers)
    project = (await call.services.projects.get(key)).project
    return hooks.of_project(project.id)


async def _want_execution(
    call: Call[models.HookExecutionPath, models.HookListQuery, Nothing]
    | Call[models.HookTaskPath, Nothing, Nothing],
    hook_id: int,
    execution_id: int,
) -> None:
    """Raise NotFound unless the execution is one of the hook's."""
    await (await _hooks(call)).get(hook_id)
    if not await (await _hooks(call)).has_execution(hook_id, execution_id):
        raise NotFound("execution", execution_id)


_LIST = list[models.WebhookPolicy]
ROUTES = (
    Route(
        method="GET",
        path=f"{ROOT}/events",
        handler=list_events,
        operation_id="getSystemSupportedEventTypes",
        tag=TAG,
        response=models.SupportedWebhookEventTypes,
    ),
    Route(
        method="GET",
        path=f"{ROOT}/policies",
        handler=list_policies,
        operation_id="listSystemWebhookPolicies",
        tag=TAG,
        query=models.HookListQuery,
        response=_LIST,
    ),
    Route(
        method="POST",
        path=f"{ROOT}/policies",
        handler=create_policy,
        operation_id="createSystemWebhookPolicy",
        event=Event.CREATE_HOOK,
        tag=TAG,
        body=models.WebhookPolicy,
        status=201,
        errors=(409,),
    ),
    Route(
        method="GET",
        path=POLICY,
        handler=get_policy,
        operation_id="getSystemWebhookPolicy",
        tag=TAG,
        parameters=ById,
        response=models.WebhookPolicy,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=POLICY,
        handler=update_policy,
        operation_id="updateSystemWebhookPolicy",
        event=Event.UPDATE_HOOK,
        tag=TAG,
        parameters=ById,
        body=models.WebhookPolicy,
        errors=(404, 409),
    ),
    Route(
        method="DELETE",
        path=POLICY,
        handler=delete_policy,
        operation_id="deleteSystemWebhookPolicy",
        event=Event.DELETE_HOOK,
        tag=TAG,
        parameters=ById,
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{POLICY}/executions",
        handler=list_executions,
        operation_id="listExecutionsOfSystemWebhookPolicy",
        tag=TAG,
        parameters=ById,
        query=models.HookListQuery,
        response=list[models.Execution],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{POLICY}/executions/{{execution_id}}/tasks",
        handler=list_tasks,
        operation_id="listTasksOfSystemWebhookExecution",
        tag=TAG,
        parameters=models.HookExecutionPath,
        query=models.HookListQuery,
        response=list[models.Task],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{POLICY}/executions/{{execution_id}}/tasks/{{task_id}}/log",
        handler=get_task_log,
        operation_id="getLogsOfSystemWebhookTask",
        tag=TAG,
        parameters=models.HookTaskPath,
        response=str,
        media_type="text/plain",
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{ROOT}/lasttrigger",
        handler=list_last_triggers,
        operation_id="systemLastTrigger",
        tag=TAG,
        response=list[models.WebhookLastTrigger],
    ),
    Route(
        method="POST",
        path=f"{POLICY}/test",
        handler=try_policy,
        operation_id="testSystemWebhookPolicy",
        event=Event.TEST_HOOK,
        tag=TAG,
        parameters=ById,
        query=OwnQuery,
        response=models.HookTest,
        status=202,
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{POLICY}/deliveries",
        handler=list_deliveries,
        operation_id="listHookDeliveries",
        tag=TAG,
        parameters=ById,
        query=models.DeliveryListQuery,
        response=list[models.HookDelivery],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{POLICY}/deliveries/{{delivery_id}}",
        handler=get_delivery,
        operation_id="getHookDelivery",
        tag=TAG,
        parameters=models.HookDeliveryPath,
        query=OwnQuery,
        response=models.HookDelivery,
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{POLICY}/deliveries/{{delivery_id}}/redeliver",
        handler=redeliver,
        operation_id="redeliverHook",
        event=Event.REDELIVER_HOOK,
        tag=TAG,
        parameters=models.HookDeliveryPath,
        query=OwnQuery,
        status=201,
        errors=(404, 412),
    ),
)
