"""Count every request of this process, by the template of its route."""

from __future__ import annotations

from time import monotonic
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from jobservice.metrics import Metrics
from registry.http.exchange import ACTED

UNMATCHED: Final = "unmatched"
# What nginx calls it when the client went away.
CLOSED: Final = 499


def middleware(metrics: Metrics) -> Middleware:
    """Return what measures the application that it is given to."""

    @web.middleware
    async def measured(request: web.Request, handler: Handler) -> web.StreamResponse:
        began_at = monotonic()
        status = CLOSED
        try:
            response = await handler(request)
            status = response.status
        except web.HTTPException as answer:
            status = answer.status
            raise
        finally:
            if (action := request.get(ACTED)) is not None:
                metrics.acted(action)
            metrics.answered(request.method, template(request), status, monotonic() - began_at)
        return response

    return measured


def template(request: web.Request) -> str:
    """Return the route's path with its parameters' names; there are only so many."""
    resource = request.match_info.route.resource
    return UNMATCHED if resource is None else resource.canonical
