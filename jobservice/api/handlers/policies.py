"""Harbor's tag `replication`: policies."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice.api import answering, listing
from jobservice.api.harbor import policies as harbor
from jobservice.api.models import replication as models
from jobservice.api.models.base import ById, Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.listing import Contains

TAG = "replication"
ROOT = f"{API_ROOT}/replication/policies"
FIELDS = {
    "id": FieldType.INTEGER,
    "name": FieldType.TEXT,
    "description": FieldType.TEXT,
    "enabled": FieldType.BOOLEAN,
    "override": FieldType.BOOLEAN,
    "trigger": FieldType.TEXT,
    "src_registry_id": FieldType.INTEGER,
    "dest_registry_id": FieldType.INTEGER,
    "dest_namespace": FieldType.TEXT,
    "creation_time": FieldType.TIME,
    "update_time": FieldType.TIME,
}


async def list_policies(
    call: Call[Nothing, models.PolicyListQuery, Nothing],
) -> web.Response:
    """List the replication policies."""
    named = [Contains(field="name", text=call.query.name)] if call.query.name else []
    asked = listing.asked(call, FIELDS, *named)
    found, ends = await call.services.policies.page(asked)
    return listing.answer(call, asked, found, lambda policy: harbor.policy(policy, ends))


async def create_policy(
    call: Call[Nothing, Nothing, models.ReplicationPolicy],
) -> web.Response:
    """Remember a replication policy."""
    call.ignored += harbor.overlooked(call.body)
    policy_id = await call.services.policies.create(harbor.policy_settings(call.body))
    return answering.created(call, policy_id)


async def get_policy(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Show a replication policy."""
    return answering.json(harbor.policy(*await call.services.policies.get(call.path.id)))


async def update_policy(
    call: Call[ById, Nothing, models.ReplicationPolicy],
) -> web.Response:
    """Replace a replication policy; an absent `transship` stays as it is."""
    call.ignored += harbor.overlooked(call.body)
    before, _ = await call.services.policies.get(call.path.id)
    settings = harbor.policy_settings(call.body, before.settings)
    await call.services.policies.update(call.path.id, settings)
    return web.Response()


async def delete_policy(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Forget a replication policy that has nothing running."""
    await call.services.policies.delete(call.path.id)
    return web.Response()


ROUTES = (
    Route(
        method="GET",
        path=ROOT,
        handler=list_policies,
        operation_id="listReplicationPolicies",
        tag=TAG,
        query=models.PolicyListQuery,
        response=list[models.ReplicationPolicy],
    ),
    Route(
        method="POST",
        path=ROOT,
        handler=create_policy,
        operation_id="createReplicationPolicy",
        tag=TAG,
        body=models.ReplicationPolicy,
        status=201,
        errors=(409,),
        event=Event.CREATE_POLICY,
    ),
    Route(
        method="GET",
        path=f"{ROOT}/{{id}}",
        handler=get_policy,
        operation_id="getReplicationPolicy",
        tag=TAG,
        parameters=ById,
        response=models.ReplicationPolicy,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=f"{ROOT}/{{id}}",
        handler=update_policy,
        operation_id="updateReplicationPolicy",
        tag=TAG,
        parameters=ById,
        body=models.ReplicationPolicy,
        errors=(404, 409),
        event=Event.UPDATE_POLICY,
    ),
    Route(
        method="DELETE",
        path=f"{ROOT}/{{id}}",
        handler=delete_policy,
        operation_id="deleteReplicationPolicy",
        tag=TAG,
        parameters=ById,
        errors=(404, 412),
        event=Event.DELETE_POLICY,
    ),
)
