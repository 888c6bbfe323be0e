"""Harbor's tag `immutable`: which tags of a project never lead elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from access.audit import Event
from jobservice.api import answering, listing
from jobservice.api.harbor import immutable as harbor
from jobservice.api.harbor import projects
from jobservice.api.models import immutable as models
from jobservice.api.models.base import Nothing, OwnQuery
from jobservice.api.models.project import ProjectPath
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route

TAG = "immutable"
ROOT = f"{API_ROOT}/projects/{{project_name_or_id}}/immutabletagrules"
ONE = f"{ROOT}/{{immutable_rule_id}}"
FIELDS = {"id": FieldType.INTEGER, "disabled": FieldType.BOOLEAN, "priority": FieldType.INTEGER}


async def list_rules(
    call: Call[ProjectPath, models.ImmutableRuleListQuery, Nothing],
) -> web.Response:
    """List the rules of a project."""
    asked = listing.asked(call, FIELDS)
    found = await call.services.immutable_rules.page(_project(call), asked)
    return listing.answer(call, asked, found, harbor.rule)


async def create_rule(call: Call[ProjectPath, Nothing, models.ImmutableRule]) -> web.Response:
    """Add a rule; unlike Harbor's it may be disabled from the start."""
    wanted = harbor.asked_for(call.body)
    made = await call.services.immutable_rules.create(_project(call), wanted)
    call.ignored += harbor.ignored(call.body)
    return answering.created(call, made)


async def show_reach(call: Call[models.ImmutableRulePath, OwnQuery, Nothing]) -> web.Response:
    """Show how much a rule takes of what is there, or would if it were not disabled."""
    found = await call.services.immutable_rules.reach(_project(call), _rule(call))
    return answering.json(models.ImmutableReach(**asdict(found)))


async def update_rule(
    call: Call[models.ImmutableRulePath, Nothing, models.ImmutableRule],
) -> web.Response:
    """Change a rule, or enable or disable it: then nothing else is changed."""
    rules, project, rule_id = call.services.immutable_rules, _project(call), _rule(call)
    harbor.want_id(call.body, rule_id)
    standing = await rules.get(project, rule_id)
    disabled = bool(call.body.disabled)
    if disabled is not standing.disabled:
        await rules.switch(project, rule_id, disabled=disabled)
        call.ignored += harbor.ignored_by_switch(call.body, standing)
    else:
        await rules.change(project, harbor.asked_for(call.body, rule_id=rule_id))
        call.ignored += harbor.ignored(call.body)
    return web.Response()


async def delete_rule(call: Call[models.ImmutableRulePath, Nothing, Nothing]) -> web.Response:
    """Remove a rule."""
    await call.services.immutable_rules.delete(_project(call), _rule(call))
    return web.Response()


def _project(call: Call[Any, Any, Any]) -> str | int:
    return projects.key(call.path.project_name_or_id, call.request.headers)


def _rule(call: Call[models.ImmutableRulePath, Any, Any]) -> int:
    return call.path.immutable_rule_id


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_rules,
        operation_id="ListImmuRules",
        tag=TAG,
        parameters=ProjectPath,
        query=models.ImmutableRuleListQuery,
        response=list[models.ImmutableRule],
        errors=(404,),
    ),
    Route(
        method="POST",
        path=ROOT,
        handler=create_rule,
        operation_id="CreateImmuRule",
        tag=TAG,
        parameters=ProjectPath,
        body=models.ImmutableRule,
        status=201,
        errors=(404, 409),
        event=Event.CREATE_IMMUTABLE_RULE,
    ),
    Route(
        method="PUT",
        path=ONE,
        handler=update_rule,
        operation_id="UpdateImmuRule",
        tag=TAG,
        parameters=models.ImmutableRulePath,
        body=models.ImmutableRule,
        errors=(404, 409),
        event=Event.UPDATE_IMMUTABLE_RULE,
    ),
    Route(
        method="GET",
        path=f"{ONE}/reach",
        handler=show_reach,
        operation_id="getImmuRuleReach",
        tag=TAG,
        parameters=models.ImmutableRulePath,
        query=OwnQuery,
        response=models.ImmutableReach,
        errors=(404,),
    ),
    Route(
        method="DELETE",
        path=ONE,
        handler=delete_rule,
        operation_id="DeleteImmuRule",
        tag=TAG,
        parameters=models.ImmutableRulePath,
        errors=(404,),
        event=Event.DELETE_IMMUTABLE_RULE,
    ),
)
