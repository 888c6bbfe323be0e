"""Harbor's tag `project`: as much of it as the registry needs."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from access.audit import Event
from jobservice.api import answering, listing
from jobservice.api.harbor import projects as harbor
from jobservice.api.models import project as models
from jobservice.api.models.base import Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.projects import ProjectWish

TAG = "project"
ROOT = f"{API_ROOT}/projects"
ONE = f"{ROOT}/{{project_name_or_id}}"
FIELDS = {
    "name": FieldType.TEXT,
    "public": FieldType.BOOLEAN,
    "owner_name": FieldType.TEXT,
    "creation_time": FieldType.TIME,
    "update_time": FieldType.TIME,
}
NAME_IN_LOCATION = "X-Resource-Name-In-Location"


async def list_projects(call: Call[Nothing, models.ProjectListQuery, Nothing]) -> web.Response:
    """List the projects, by name unless asked otherwise."""
    scope = harbor.conditions(call.query, call.principal)
    asked = listing.asked(call, FIELDS, *scope, by="name")
    found = await call.services.projects.page(asked)
    return listing.answer(call, asked, found, lambda one: harbor.project(one, call.principal))


async def head_project(call: Call[Nothing, models.ProjectHeadQuery, Nothing]) -> web.Response:
    """Say whether a project of this name is there."""
    await call.services.projects.get(call.query.project_name)
    return web.Response()


async def create_project(call: Call[Nothing, Nothing, models.ProjectReq]) -> web.Response:
    """Make a project."""
    name, wish = harbor.asked_for(call.body)
    made = await call.services.projects.create(name, wish, owner=call.principal)
    by_name = call.request.headers.get(NAME_IN_LOCATION, "").lower() == harbor.TRUE
    return answering.created(call, made.name if by_name else made.id)


async def get_project(call: Call[models.ProjectPath, Nothing, Nothing]) -> web.Response:
    """Show a project."""
    found = await call.services.projects.get(_key(call))
    return answering.json(harbor.project(found, call.principal))


async def update_project(
    call: Call[models.ProjectPath, Nothing, models.ProjectReq],
) -> web.Response:
    """Change who may read a project, and its settings."""
    found = await call.services.projects.get(_key(call))
    wish = harbor.changed(found, call.body)
    if wish != ProjectWish():
        await call.services.projects.change(found.project.id, wish)
    return web.Response()


async def delete_project(call: Call[models.ProjectPath, Nothing, Nothing]) -> web.Response:
    """Remove a project that no repository is in."""
    await call.services.projects.delete(_key(call))
    return web.Response()


def _key(call: Call[models.ProjectPath, Nothing, Any]) -> str | int:
    return harbor.key(call.path.project_name_or_id, call.request.headers)


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_projects,
        operation_id="listProjects",
        tag=TAG,
        query=models.ProjectListQuery,
        response=list[models.Project],
    ),
    Route(
        method="HEAD",
        path=ROOT,
        handler=head_project,
        operation_id="headProject",
        tag=TAG,
        query=models.ProjectHeadQuery,
        errors=(404,),
    ),
    Route(
        method="POST",
        path=ROOT,
        handler=create_project,
        operation_id="createProject",
        tag=TAG,
        body=models.ProjectReq,
        status=201,
        errors=(409,),
        event=Event.CREATE_PROJECT,
    ),
    Route(
        method="GET",
        path=ONE,
        handler=get_project,
        operation_id="getProject",
        tag=TAG,
        parameters=models.ProjectPath,
        response=models.Project,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=ONE,
        handler=update_project,
        operation_id="updateProject",
        tag=TAG,
        parameters=models.ProjectPath,
        body=models.ProjectReq,
        errors=(404,),
        event=Event.UPDATE_PROJECT,
    ),
    Route(
        method="DELETE",
        path=ONE,
        handler=delete_project,
        operation_id="deleteProject",
        tag=TAG,
        parameters=models.ProjectPath,
        errors=(404, 412),
        event=Event.DELETE_PROJECT,
    ),
)
