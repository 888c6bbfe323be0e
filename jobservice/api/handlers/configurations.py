"""Harbor's tag `configure`: the switch `read_only`, and what is fixed here."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice import unbuilt
from jobservice.api import answering
from jobservice.api.models import configuration as models
from jobservice.api.models.base import HarborModel, Nothing
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.errors import InvalidRequest

TAG = "configure"
PATH = f"{API_ROOT}/configurations"
READ_ONLY = "read_only"


async def get_configurations(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show what can be configured, and what is fixed."""
    fixed = {
        name: {"value": value, "editable": False}
        for name, value in unbuilt.FIXED_CONFIGURATIONS.items()
    }
    is_read_only = await call.services.registry.is_read_only()
    switches = {READ_ONLY: {"value": is_read_only, "editable": True}}
    return answering.json(models.SHOWN.model_validate(fixed | switches))


async def update_configurations(call: Call[Nothing, Nothing, HarborModel]) -> web.Response:
    """Change what is given; fixed values may be given as they are."""
    asked = {name: getattr(call.body, name) for name in type(call.body).model_fields}
    read_only = asked.pop(READ_ONLY)
    if problems := list(unbuilt.configuration_problems(asked)):
        raise InvalidRequest(problems)
    if read_only is not None:
        await call.services.registry.set_read_only(on=read_only)
    return web.Response()


ROUTES = (
    Route(
        method="GET",
        path=PATH,
        handler=get_configurations,
        operation_id="getConfigurations",
        tag=TAG,
        response=models.SHOWN,
    ),
    Route(
        method="PUT",
        path=PATH,
        handler=update_configurations,
        operation_id="updateConfigurations",
        tag=TAG,
        body=models.CONFIGURATIONS,
        event=Event.UPDATE_CONFIGURATION,
    ),
)
