"""Harbor's tag `registry`: registry endpoints and the adapters they may use."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice.api import answering, listing
from jobservice.api.harbor import registries as harbor
from jobservice.api.models import registry as models
from jobservice.api.models.base import ById, Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.endpoint import LOCAL_ID
from jobservice.domain.listing import Contains

TAG = "registry"
FIELDS = {
    "id": FieldType.INTEGER,
    "name": FieldType.TEXT,
    "type": FieldType.TEXT,
    "url": FieldType.TEXT,
    "status": FieldType.TEXT,
    "insecure": FieldType.BOOLEAN,
    "description": FieldType.TEXT,
    "creation_time": FieldType.TIME,
    "update_time": FieldType.TIME,
}


async def list_registries(
    call: Call[Nothing, models.RegistryListQuery, Nothing],
) -> web.Response:
    """List the registry endpoints."""
    named = [Contains(field="name", text=call.query.name)] if call.query.name else []
    asked = listing.asked(call, FIELDS, *named)
    found = await call.services.endpoints.page(asked)
    return listing.answer(call, asked, found, harbor.endpoint)


async def create_registry(call: Call[Nothing, Nothing, models.Registry]) -> web.Response:
    """Check a registry and remember it."""
    endpoint_id = await call.services.endpoints.create(harbor.new_endpoint(call.body))
    return answering.created(call, endpoint_id)


async def get_registry(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Show a registry endpoint; 0 is this registry."""
    if call.path.id == LOCAL_ID:
        return answering.json(harbor.local_endpoint())
    return answering.json(harbor.endpoint(await call.services.endpoints.get(call.path.id)))


async def update_registry(call: Call[ById, Nothing, models.RegistryUpdate]) -> web.Response:
    """Check a changed registry and remember the change."""
    await call.services.endpoints.update(call.path.id, harbor.changed_endpoint(call.body))
    return web.Response()


async def delete_registry(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Forget a registry that no policy uses."""
    await call.services.endpoints.delete(call.path.id)
    return web.Response()


async def ping_registry(call: Call[Nothing, Nothing, models.RegistryPing]) -> web.Response:
    """Try a registry, remembered or not."""
    await call.services.endpoints.ping(call.body.id, harbor.tried_endpoint(call.body))
    return web.Response()


async def get_registry_info(call: Call[ById, Nothing, Nothing]) -> web.Response:
    """Show what a registry's adapter can do."""
    return answering.json(harbor.adapter_info(await call.services.endpoints.info(call.path.id)))


async def list_adapters(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """List the kinds of registry that can be added."""
    return answering.json(list(call.services.endpoints.kinds()))


async def list_adapter_infos(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show how a form for each kind should look."""
    kinds = call.services.endpoints.kinds()
    return answering.json({kind: harbor.provider_info(info) for kind, info in kinds.items()})


ROUTES = (
    Route(
        method="GET",
        path=f"{API_ROOT}/registries",
        handler=list_registries,
        operation_id="listRegistries",
        tag=TAG,
        query=models.RegistryListQuery,
        response=list[models.Registry],
    ),
    Route(
        method="POST",
        path=f"{API_ROOT}/registries",
        handler=create_registry,
        operation_id="createRegistry",
        tag=TAG,
        body=models.Registry,
        status=201,
        errors=(409,),
        event=Event.CREATE_REGISTRY,
    ),
    Route(
        method="POST",
        path=f"{API_ROOT}/registries/ping",
        handler=ping_registry,
        operation_id="pingRegistry",
        tag=TAG,
        body=models.RegistryPing,
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/registries/{{id}}",
        handler=get_registry,
        operation_id="getRegistry",
        tag=TAG,
        parameters=ById,
        response=models.Registry,
        errors=(404,),
    ),
    Route(
        method="PUT",
        path=f"{API_ROOT}/registries/{{id}}",
        handler=update_registry,
        operation_id="updateRegistry",
        tag=TAG,
        parameters=ById,
        body=models.RegistryUpdate,
        errors=(404, 409),
        event=Event.UPDATE_REGISTRY,
    ),
    Route(
        method="DELETE",
        path=f"{API_ROOT}/registries/{{id}}",
        handler=delete_registry,
        operation_id="deleteRegistry",
        tag=TAG,
        parameters=ById,
        errors=(404, 412),
        event=Event.DELETE_REGISTRY,
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/registries/{{id}}/info",
        handler=get_registry_info,
        operation_id="getRegistryInfo",
        tag=TAG,
        parameters=ById,
        response=models.RegistryInfo,
        errors=(404,),
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/replication/adapters",
        handler=list_adapters,
        operation_id="listRegistryProviderTypes",
        tag=TAG,
        response=list[str],
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/replication/adapterinfos",
        handler=list_adapter_infos,
        operation_id="listRegistryProviderInfos",
        tag=TAG,
        response=dict[str, models.RegistryProviderInfo],
    ),
)
