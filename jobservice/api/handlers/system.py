"""Harbor's tags `ping`, `health` and `systeminfo`, the version, and the probes of orchestrators."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from access.identity import ANONYMOUS
from jobservice.api import answering
from jobservice.api.models import system as models
from jobservice.api.models.base import Nothing
from jobservice.api.router import API_ROOT, Call, Permission, Route
from jobservice.errors import NotFound

Plain = Call[Nothing, Nothing, Nothing]

API_VERSION = "v2.0"
# The Harbor release whose API this follows: its clients compare it.
HARBOR_VERSION = "v2.15.0"
AUTH_MODE = "db_auth"
DATABASE = "database"


async def ping(call: Plain) -> web.Response:
    """Answer Pong."""
    del call
    return web.Response(text="Pong", content_type="text/plain")


async def health(call: Plain) -> web.Response:
    """Show how the parts are."""
    findings = await call.services.health.check()
    components = [
        models.ComponentHealthStatus(
            name=finding.component,
            status="unhealthy" if finding.problem else "healthy",
            error=finding.problem or None,
        )
        for finding in findings
    ]
    status = "unhealthy" if any(f.problem for f in findings) else "healthy"
    return answering.json(models.OverallHealthStatus(status=status, components=components))


async def version(call: Plain) -> web.Response:
    """Show the API's version."""
    del call
    return answering.json(models.Version(version=API_VERSION))


async def system_info(call: Plain) -> web.Response:
    """Show this installation: to anybody what a login needs, to users the rest."""
    info = models.GeneralInfo(
        current_time=datetime.now(UTC),
        auth_mode=AUTH_MODE,
        primary_auth_mode=False,
        self_registration=False,
        has_ca_root=False,
    )
    if call.principal != ANONYMOUS:
        installation = call.services.installation
        info.external_url = installation.external_url or str(call.request.url.origin())
        info.registry_url = info.external_url.partition("://")[2]
        info.project_creation_restriction = "adminonly"
        info.harbor_version = f"{HARBOR_VERSION}-transship-{installation.version}"
        info.registry_storage_provider_name = call.services.registry.storage.provider
        info.read_only = await call.services.registry.admission.is_read_only()
        info.notification_enable = True
    return answering.json(info)


async def volumes(call: Plain) -> web.Response:
    """Show the space where content is kept, in bytes; nothing where there is no limit."""
    room = await call.services.registry.admission.room()
    found = [models.Storage(total=room.total_bytes, free=room.free_bytes)] if room else []
    return answering.json(models.SystemInfo(storage=found))


async def certificate(call: Plain) -> web.Response:
    """Answer that there is no CA certificate to download; `has_ca_root` says so too."""
    del call
    raise NotFound("certificate", "ca.crt")


async def alive(call: Plain) -> web.Response:
    """Answer that this process runs."""
    del call
    return web.Response(text="ok", content_type="text/plain")


async def ready(call: Plain) -> web.Response:
    """Answer whether this process can serve: Postgres answers. Without Redis it still can."""
    finding = await call.services.health.check_one(DATABASE)
    if finding.problem:
        return web.Response(status=503, text=finding.problem, content_type="text/plain")
    return web.Response(text="ok", content_type="text/plain")


ROUTES = (
    Route(
        method="GET",
        path=f"{API_ROOT}/ping",
        handler=ping,
        operation_id="getPing",
        tag="ping",
        permission=Permission.ANYBODY,
        response=str,
        media_type="text/plain",
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/health",
        handler=health,
        operation_id="getHealth",
        tag="health",
        permission=Permission.ANYBODY,
        response=models.OverallHealthStatus,
    ),
    Route(
        method="GET",
        path="/api/version",
        handler=version,
        operation_id="getVersion",
        tag="version",
        permission=Permission.ANYBODY,
        response=models.Version,
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/systeminfo",
        handler=system_info,
        operation_id="getSystemInfo",
        tag="systeminfo",
        permission=Permission.ANYBODY,
        response=models.GeneralInfo,
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/systeminfo/volumes",
        handler=volumes,
        operation_id="getVolumes",
        tag="systeminfo",
        response=models.SystemInfo,
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/systeminfo/getcert",
        handler=certificate,
        operation_id="getCert",
        tag="systeminfo",
        permission=Permission.ANYBODY,
        response=str,
        media_type="application/octet-stream",
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/healthz",
        handler=alive,
        operation_id="getLiveness",
        tag="probes",
        permission=Permission.ANYBODY,
        response=str,
        media_type="text/plain",
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=ready,
        operation_id="getReadiness",
        tag="probes",
        permission=Permission.ANYBODY,
        response=str,
        media_type="text/plain",
        plain_errors=(503,),
    ),
)
