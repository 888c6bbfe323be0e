"""/v2/: from a request to its handler, and from errors to answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiohttp import hdrs, web

from access.authentication import Authenticator
from access.identity import Principal
from database.errors import DatabaseUnavailable
from protocol.errors import RegistryFault, Unavailable
from registry.errors import refusal
from registry.http import (
    blobs,
    bodies,
    errors,
    exchange,
    listing,
    manifests,
    paths,
    pieces,
    uploads,
)
from registry.http.bodies import Bodies
from registry.http.exchange import Exchange
from registry.http.paths import Kind, Target
from registry.service import Registry

Handler = Callable[[Exchange], Awaitable[web.StreamResponse]]
API_VERSION: Final = {"Docker-Distribution-API-Version": "registry/2.0"}

_log = structlog.get_logger(__name__)


async def _root(asked: Exchange) -> web.StreamResponse:
    """Answer only to known people: clients find out here that they must log in."""
    if asked.principal.is_anonymous:
        raise refusal("UNAUTHORIZED", "log in to use this registry", operation="ping")
    return web.Response(body=b"{}", content_type="application/json")


# A HEAD without a line of its own is a GET whose body stays here (RFC 9110 §9.3.2).
HANDLERS: Final[dict[tuple[Kind, str], Handler]] = {
    (Kind.ROOT, "GET"): _root,
    (Kind.CATALOG, "GET"): listing.catalog,
    (Kind.BLOB, "HEAD"): blobs.head,
    (Kind.BLOB, "GET"): blobs.get,
    (Kind.BLOB, "DELETE"): blobs.delete,
    (Kind.MANIFEST, "HEAD"): manifests.head,
    (Kind.MANIFEST, "GET"): manifests.get,
    (Kind.MANIFEST, "PUT"): manifests.put,
    (Kind.MANIFEST, "DELETE"): manifests.delete,
    (Kind.UPLOADS, "POST"): uploads.begin,
    (Kind.UPLOAD, "GET"): uploads.status,
    (Kind.UPLOAD, "PATCH"): uploads.append,
    (Kind.UPLOAD, "PUT"): uploads.commit,
    (Kind.UPLOAD, "DELETE"): uploads.cancel,
    (Kind.TAGS, "GET"): listing.tags,
    (Kind.REFERRERS, "GET"): listing.list_referrers,
}


def register(
    app: web.Application,
    registry: Registry,
    authenticator: Authenticator,
    *,
    silence_seconds: float = bodies.SILENCE_SECONDS,
) -> None:
    """Add everything beneath /v2/ to an application."""
    shared = Bodies(silence_seconds=silence_seconds)

    async def handle(request: web.Request) -> web.StreamResponse:
        response = await _answer(request, registry, authenticator, shared)
        response.headers.update(API_VERSION)
        return response

    app.router.add_route("*", "/v2", handle)
    app.router.add_route("*", "/v2/{target:[\\s\\S]*}", handle)  # a line feed, too


async def _answer(
    request: web.Request, registry: Registry, authenticator: Authenticator, shared: Bodies
) -> web.StreamResponse:
    try:
        # Who asks comes first, so that nobody learns from an answer what is there.
        principal = await exchange.identify(request, authenticator)
        return await _dispatch(request, registry, principal, shared)
    except errors.MAPPED as error:
        if isinstance(error, Unavailable):
            _log.error("content_unavailable", reason=str(error))
        return pieces.break_off(request) or errors.response_for(error)
    except DatabaseUnavailable as error:
        _log.warning("database_unavailable", reason=str(error))
        fault = RegistryFault(code="UNAVAILABLE", message="the registry's database is away")
        return pieces.break_off(request) or errors.render(503, [fault], {"Retry-After": "5"})


async def _dispatch(
    request: web.Request, registry: Registry, principal: Principal, shared: Bodies
) -> web.StreamResponse:
    target = paths.parse(request.rel_url.raw_path)
    if target is None:
        raise refusal("NAME_UNKNOWN", "nothing here has this address", operation=request.method)
    handler = HANDLERS.get((target.kind, request.method))
    if handler is None and request.method == hdrs.METH_HEAD:
        handler = HANDLERS.get((target.kind, hdrs.METH_GET))
    if handler is None:
        return _not_allowed(target)
    return await handler(
        Exchange(
            request=request, registry=registry, principal=principal, target=target, bodies=shared
        )
    )


def _not_allowed(target: Target) -> web.Response:
    methods = {method for kind, method in HANDLERS if kind is target.kind}
    if hdrs.METH_GET in methods:
        methods.add(hdrs.METH_HEAD)
    allowed = ", ".join(sorted(methods))
    fault = RegistryFault(code="UNSUPPORTED", message=f"only {allowed} is possible here")
    return errors.render(405, [fault], {"Allow": allowed})
