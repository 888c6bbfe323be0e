"""Harbor's tag `label`, and what its tag `artifact` does with labels."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice import labels
from jobservice.api import answering, listing
from jobservice.api.harbor import labels as harbor
from jobservice.api.models import label as models
from jobservice.api.models.base import Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route

TAG = "label"
ARTIFACT_TAG = "artifact"
ROOT = f"{API_ROOT}/labels"
ONE = f"{ROOT}/{{label_id}}"
ARTIFACT = (
    f"{API_ROOT}/projects/{{project_name}}/repositories/{{repository_name}}/artifacts/{{reference}}"
)
FIELDS = {
    "id": FieldType.INTEGER,
    "name": FieldType.TEXT,
    "description": FieldType.TEXT,
    "color": FieldType.TEXT,
    "creation_time": FieldType.TIME,
    "update_time": FieldType.TIME,
}


async def list_labels(call: Call[Nothing, models.LabelListQuery, Nothing]) -> web.Response:
    """List everybody's labels, or those of a project."""
    project_id = harbor.project(call.query)
    asked = listing.asked(call, FIELDS, *harbor.conditions(call.query))
    found = await labels.page(call.services.database, asked, project_id=project_id)
    return listing.answer(call, asked, found, harbor.label)


async def create_label(call: Call[Nothing, Nothing, models.Label]) -> web.Response:
    """Make a label."""
    project_id, wish = harbor.asked_for(call.body)
    call.ignored += harbor.ignored(call.body)
    return answering.created(call, await labels.create(call.services.database, project_id, wish))


async def get_label(call: Call[models.LabelPath, Nothing, Nothing]) -> web.Response:
    """Show a label."""
    return answering.json(
        harbor.label(await labels.get(call.services.database, call.path.label_id))
    )


async def update_label(call: Call[models.LabelPath, Nothing, models.Label]) -> web.Response:
    """Change name, description and colour of a label."""
    database, label_id = call.services.database, call.path.label_id
    standing = await labels.get(database, label_id)
    await labels.change(database, label_id, harbor.changed(call.body))
    call.ignored += harbor.ignored(call.body, standing)
    return web.Response()


async def delete_label(call: Call[models.LabelPath, Nothing, Nothing]) -> web.Response:
    """Remove a label, from all artifacts that have it too."""
    await labels.delete(call.services.database, call.path.label_id)
    return web.Response()


async def list_artifact_labels(call: Call[models.ArtifactPath, Nothing, Nothing]) -> web.Response:
    """List the labels of an artifact."""
    found = await labels.carried(call.services.database, harbor.artifact(call.path))
    return answering.json([harbor.label(one) for one in found])


async def add_label(call: Call[models.ArtifactPath, Nothing, models.Label]) -> web.Response:
    """Put a label on an artifact."""
    label_id = harbor.wanted(call.body)
    await labels.put_on(call.services.database, harbor.artifact(call.path), label_id)
    return web.Response()


async def remove_label(call: Call[models.ArtifactLabelPath, Nothing, Nothing]) -> web.Response:
    """Take a label off an artifact."""
    artifact = harbor.artifact(call.path)
    await labels.take_off(call.services.database, artifact, call.path.label_id)
    return web.Response()


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_labels,
        operation_id="ListLabels",
        tag=TAG,
        query=models.LabelListQuery,
        response=list[models.Label],
        errors=(404,),
    ),
    Route(
        method="POST",
        path=ROOT,
        handler=create_label,
        operation_id="CreateLabel",
        tag=TAG,
        body=models.Label,
        status=201,
        errors=(404, 409, 415),
        event=Event.CREATE_LABEL,
    ),
    Route(
        method="GET",
        path=ONE,
        handler=get_label,
        operation_id="GetLabelByID",
        tag=TAG,
        parameters=models.LabelPath,
        response=models.Label,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=ONE,
        handler=update_label,
        operation_id="UpdateLabel",
        tag=TAG,
        parameters=models.LabelPath,
        body=models.Label,
        errors=(404, 409),
        event=Event.UPDATE_LABEL,
    ),
    Route(
        method="DELETE",
        path=ONE,
        handler=delete_label,
        operation_id="DeleteLabel",
        tag=TAG,
        parameters=models.LabelPath,
        errors=(404,),
        event=Event.DELETE_LABEL,
    ),
    Route(
        method="GET",
        path=f"{ARTIFACT}/labels",
        handler=list_artifact_labels,
        operation_id="listArtifactLabels",
        tag=ARTIFACT_TAG,
        parameters=models.ArtifactPath,
        response=list[models.Label],
        errors=(404,),
    ),
    Route(
        method="POST",
        path=f"{ARTIFACT}/labels",
        handler=add_label,
        operation_id="addLabel",
        tag=ARTIFACT_TAG,
        parameters=models.ArtifactPath,
        body=models.Label,
        errors=(404, 409),
        event=Event.CREATE_ARTIFACT_LABEL,
    ),
    Route(
        method="DELETE",
        path=f"{ARTIFACT}/labels/{{label_id}}",
        handler=remove_label,
        operation_id="removeLabel",
        tag=ARTIFACT_TAG,
        parameters=models.ArtifactLabelPath,
        errors=(404, 409),
        event=Event.DELETE_ARTIFACT_LABEL,
    ),
)
