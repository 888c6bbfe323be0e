"""Harbor's tag `Retention`: policies, their runs, and what a run would do."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from access.audit import Event
from jobservice import retention_previews, retention_runs, retentions
from jobservice.api import answering, listing, streaming
from jobservice.api.harbor import retentions as harbor
from jobservice.api.models import retention as models
from jobservice.api.models.base import ById, Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.retention import RetentionSnapshot
from jobservice.domain.retention_preview import FORMS

TAG = "Retention"
ROOT = f"{API_ROOT}/retentions"
ONE = f"{ROOT}/{{id}}"
EXECUTIONS = f"{ONE}/executions"
EXECUTION = f"{EXECUTIONS}/{{eid}}"
FIELDS = {
    "id": FieldType.INTEGER,
    "project_id": FieldType.INTEGER,
    "registry_id": FieldType.INTEGER,
    "creation_time": FieldType.TIME,
    "update_time": FieldType.TIME,
}
EXECUTION_FIELDS = {
    "id": FieldType.INTEGER,
    "start_time": FieldType.TIME,
    "end_time": FieldType.TIME,
}
OneExecution = Call[models.RetentionExecutionPath, Nothing, Nothing]


async def show_metadata(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show what the rules of a retention policy can say."""
    del call
    return answering.json(harbor.METADATA)


async def list_policies(call: Call[Nothing, models.RetentionListQuery, Nothing]) -> web.Response:
    """List the retention policies."""
    asked = listing.asked(call, FIELDS)
    found = await retentions.page(call.services.database, asked)
    return listing.answer(call, asked, found, harbor.policy)


async def create_policy(call: Call[Nothing, Nothing, models.RetentionPolicy]) -> web.Response:
    """Remember the retention policy of a project."""
    call.ignored += harbor.overlooked(call.body)
    settings = harbor.settings(call.body)
    return answering.created(call, await retentions.create(call.services.database, settings))


async def get_policy(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Show a retention policy."""
    found = await retentions.get(call.services.database, call.path.id)
    return answering.json(harbor.policy(found))


async def update_policy(call: Call[ById, Nothing, models.RetentionPolicy]) -> web.Response:
    """Replace a retention policy; an absent `transship` stays as it is."""
    call.ignored += harbor.overlooked(call.body)
    before = await retentions.get(call.services.database, call.path.id)
    settings = harbor.settings(call.body, before.settings)
    await retentions.update(call.services.database, call.path.id, settings)
    return web.Response()


async def delete_policy(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Forget a retention policy; what its runs deleted stays deleted."""
    await retentions.delete(call.services.database, call.path.id)
    return web.Response()


async def start_execution(call: Call[ById, Nothing, models.StartRetention]) -> web.Response:
    """Start a run by hand; one that is no dry run is approved of by that."""
    execution_id = await retention_runs.start(
        call.services.database,
        call.path.id,
        dry_run=call.body.dry_run,
        by=call.principal.username,
    )
    return answering.created(call, execution_id)


async def list_executions(
    call: Call[ById, models.RetentionPageQuery, Nothing],
) -> web.Response:
    """List the runs of a policy, the latest first."""
    await retentions.get(call.services.database, call.path.id)
    asked = listing.asked(call, EXECUTION_FIELDS, latest_first=True)
    found = await retention_runs.page(call.services.database, call.path.id, asked)
    return listing.answer(call, asked, found, harbor.execution)


async def get_execution(call: OneExecution) -> web.Response:
    """Show a run: what it decided, whether it waits to be approved, what it deleted."""
    found = await retention_runs.get(call.services.database, call.path.id, call.path.eid)
    return answering.json(harbor.execution(found))


async def operate_execution(
    call: Call[models.RetentionExecutionPath, Nothing, models.AnswerRetention],
) -> web.Response:
    """Stop a run; approve or reject one that waits for it."""
    operate = {
        harbor.STOP: retention_runs.stop,
        harbor.APPROVE: retention_runs.approve,
        harbor.REJECT: retention_runs.reject,
    }[harbor.action(call.body)]
    by = call.principal.username
    await operate(call.services.database, call.path.id, call.path.eid, by=by)
    return web.Response()


async def list_tasks(
    call: Call[models.RetentionExecutionPath, models.RetentionPageQuery, Nothing],
) -> web.Response:
    """List what a run does in each repository."""
    run = await retention_runs.get(call.services.database, call.path.id, call.path.eid)
    asked = listing.asked(call, EXECUTION_FIELDS)
    found = await retention_runs.tasks_page(
        call.services.database, call.path.id, call.path.eid, asked
    )
    return listing.answer(call, asked, found, lambda task: harbor.task(task, run.snapshot.place))


async def get_task_log(call: Call[models.RetentionTaskPath, Nothing, Nothing]) -> web.Response:
    """Show what becomes of each artifact of a repository, and why, as a table."""
    path = call.path
    text = await retention_runs.task_log(call.services.database, path.id, path.eid, path.tid)
    return web.Response(text=text, content_type="text/plain")


async def preview_saved(call: Call[ById, models.PreviewQuery, Nothing]) -> web.StreamResponse:
    """Show what a run of a policy would delete, why, and what that frees."""
    found = await retentions.get(call.services.database, call.path.id)
    return await _preview(call, RetentionSnapshot.of(found, dry_run=True))


async def preview_unsaved(
    call: Call[Nothing, models.PreviewQuery, models.RetentionPolicy],
) -> web.StreamResponse:
    """Show what a policy that is not saved would delete, why, and what that frees."""
    call.ignored += harbor.overlooked(call.body)
    settings = harbor.settings(call.body)
    snapshot = await retentions.trial(call.services.database, settings)
    return await _preview(call, snapshot)


async def _preview(
    call: Call[Any, models.PreviewQuery, Any], snapshot: RetentionSnapshot
) -> web.StreamResponse:
    form = FORMS[call.query.format]()
    pieces = retention_previews.preview(
        call.services.database, call.services.places, snapshot, form
    )
    content_type = f"{form.media_type}; charset=utf-8"
    return await streaming.text(call.request, pieces, content_type=content_type)


ROUTES = (
    Route(
        method="GET",
        path=f"{ROOT}/metadatas",
        handler=show_metadata,
        operation_id="getRentenitionMetadata",
        tag=TAG,
        response=models.RetentionMetadata,
    ),
    Route(
        method="GET",
        path=ROOT,
        handler=list_policies,
        operation_id="listRetentions",
        tag=TAG,
        query=models.RetentionListQuery,
        response=list[models.RetentionPolicy],
    ),
    Route(
        method="POST",
        path=ROOT,
        handler=create_policy,
        operation_id="createRetention",
        tag=TAG,
        body=models.RetentionPolicy,
        status=201,
        errors=(409,),
        event=Event.CREATE_RETENTION,
    ),
    Route(
        method="GET",
        path=ONE,
        handler=get_policy,
        operation_id="getRetention",
        tag=TAG,
        parameters=ById,
        response=models.RetentionPolicy,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=ONE,
        handler=update_policy,
        operation_id="updateRetention",
        tag=TAG,
        parameters=ById,
        body=models.RetentionPolicy,
        errors=(404, 409),
        event=Event.UPDATE_RETENTION,
    ),
    Route(
        method="DELETE",
        path=ONE,
        handler=delete_policy,
        operation_id="deleteRetention",
        tag=TAG,
        parameters=ById,
        errors=(404, 412),
        event=Event.DELETE_RETENTION,
    ),
    Route(
        method="GET",
        path=f"{ONE}/preview",
        handler=preview_saved,
        operation_id="previewRetention",
        tag=TAG,
        parameters=ById,
        query=models.PreviewQuery,
        response=dict[str, Any],
        other_media_types=("text/csv", "text/html", "text/plain"),
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{ROOT}/preview",
        handler=preview_unsaved,
        operation_id="previewUnsavedRetention",
        tag=TAG,
        query=models.PreviewQuery,
        body=models.RetentionPolicy,
        response=dict[str, Any],
        other_media_types=("text/csv", "text/html", "text/plain"),
        errors=(409,),
    ),
    Route(
        method="POST",
        path=EXECUTIONS,
        handler=start_execution,
        operation_id="triggerRetentionExecution",
        tag=TAG,
        parameters=ById,
        body=models.StartRetention,
        status=201,
        errors=(404, 412),
        event=Event.START_EXECUTION,
    ),
    Route(
        method="GET",
        path=EXECUTIONS,
        handler=list_executions,
        operation_id="listRetentionExecutions",
        tag=TAG,
        parameters=ById,
        query=models.RetentionPageQuery,
        response=list[models.RetentionExecution],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=EXECUTION,
        handler=get_execution,
        operation_id="getRetentionExecution",
        tag=TAG,
        parameters=models.RetentionExecutionPath,
        response=models.RetentionExecution,
        errors=(404,),
    ),
    Route(
        method="PATCH",
        path=EXECUTION,
        handler=operate_execution,
        operation_id="operateRetentionExecution",
        tag=TAG,
        parameters=models.RetentionExecutionPath,
        body=models.AnswerRetention,
        errors=(404, 412),
        event=Event.STOP_EXECUTION,
    ),
    Route(
        method="GET",
        path=f"{EXECUTION}/tasks",
        handler=list_tasks,
        operation_id="listRetentionTasks",
        tag=TAG,
        parameters=models.RetentionExecutionPath,
        query=models.RetentionPageQuery,
        response=list[models.RetentionExecutionTask],
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{EXECUTION}/tasks/{{tid}}",
        handler=get_task_log,
        operation_id="getRetentionTaskLog",
        tag=TAG,
        parameters=models.RetentionTaskPath,
        response=str,
        media_type="text/plain",
        errors=(404,),
    ),
)
