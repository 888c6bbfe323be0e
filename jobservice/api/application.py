"""The API within an aiohttp application: every route, and an answer for every other path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from jobservice.api import answering, exchange, metering, openapi, unbuilt
from jobservice.api.errors import MethodNotAllowed, NoSuchPath, NotBuilt
from jobservice.api.handlers import (
    audit_logs,
    configurations,
    events,
    executions,
    garbage,
    gc,
    immutable,
    jobservice,
    labels,
    metrics,
    pauses,
    policies,
    project_webhooks,
    projects,
    purges,
    registries,
    retentions,
    schedules,
    system,
    task_history,
    tasks,
    webhooks,
)
from jobservice.api.models.base import Nothing
from jobservice.api.router import API_ROOT, Call, Permission, Route
from jobservice.api.services import Services


async def show_document(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show this API as an OpenAPI document."""
    return answering.json(openapi.document(ROUTES, version=call.services.installation.version))


ROUTES: tuple[Route, ...] = (
    *system.ROUTES,
    *configurations.ROUTES,
    *projects.ROUTES,
    *immutable.ROUTES,
    *labels.ROUTES,
    *registries.ROUTES,
    *policies.ROUTES,
    *executions.ROUTES,
    *schedules.ROUTES,
    *webhooks.ROUTES,
    *project_webhooks.ROUTES,
    *metrics.ROUTES,
    *events.ROUTES,
    *audit_logs.ROUTES,
    *purges.ROUTES,
    *retentions.ROUTES,
    *garbage.ROUTES,
    *gc.ROUTES,
    *jobservice.ROUTES,
    *tasks.ROUTES,
    *pauses.ROUTES,
    *task_history.ROUTES,
    Route(
        method="GET",
        path=f"{API_ROOT}/openapi.json",
        handler=show_document,
        operation_id="getOpenApi",
        tag="openapi",
        response=dict[str, Any],
    ),
)


def add_routes(app: web.Application, services: Services, routes: Sequence[Route] = ROUTES) -> None:
    """Make `app` serve the API, and measure every request to it."""
    app.middlewares.append(metering.middleware(services.metrics))

    async def end_streams(_app: web.Application) -> None:
        await services.follower.close()

    app.on_shutdown.append(end_streams)
    for route in routes:
        app.router.add_route(route.method, route.path, exchange.route_handler(route, services))
    app.router.add_route("*", "/api/{rest:.*}", _elsewhere(app, services))


def _elsewhere(app: web.Application, services: Services) -> exchange.Handler:
    """Answer what no route answers: 501 what Harbor has, 405 another method, 404 the rest."""
    harbor = unbuilt.load()

    async def answer(request: web.Request, request_id: str) -> web.Response:
        del request_id
        allowed = _methods(app, request)
        if request.method in harbor.methods(request.path) - set(allowed):
            await exchange.admitted(request, services, Permission.SYSTEM_ADMINISTRATOR)
            raise NotBuilt(f"{request.method} {request.path}")
        if allowed:
            raise MethodNotAllowed(request.method, request.path, allowed=allowed)
        raise NoSuchPath(request.path)

    return exchange.handler(answer)


def _methods(app: web.Application, request: web.Request) -> tuple[str, ...]:
    """Return the methods of our own routes that match the path."""
    found = {
        route.method
        for resource in app.router.resources()
        for route in resource
        if route.method != "*" and _matches(resource, request.path)
    }
    return tuple(sorted(found))


def _matches(resource: web.AbstractResource, path: str) -> bool:
    return resource.get_info().get("path") == path or bool(
        (pattern := resource.get_info().get("pattern")) and pattern.fullmatch(path)
    )
