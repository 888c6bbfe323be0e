"""`/metrics`, for Prometheus."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from jobservice.api.models.base import Nothing
from jobservice.api.router import Call, Permission, Route


async def show_metrics(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """Show the metrics in Prometheus' text format."""
    text = await call.services.metrics.text()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


ROUTES = (
    Route(
        method="GET",
        path="/metrics",
        handler=show_metrics,
        operation_id="getMetrics",
        tag="metrics",
        permission=Permission.METRICS,
        response=str,
        media_type="text/plain",
    ),
)
