"""One request from its first header to its answer: who, may they, what, do it, say it."""

from __future__ import annotations

import base64
import hmac
import re
import uuid
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import hdrs, web

from access.identity import ANONYMOUS, Principal
from database.errors import DatabaseUnavailable
from jobservice.api import answering, auditing, failures, reading
from jobservice.api.errors import Forbidden, Unauthenticated
from jobservice.api.models.base import unknown_fields
from jobservice.api.router import Call, Permission, Route
from jobservice.api.services import Installation, Services

REQUEST_ID = "X-Request-Id"
REQUEST_ID_GRAMMAR = re.compile(r"[!-~]{1,128}")

# Where everybody is answered, finding out who asks must not hold up the answer.
IDENTIFY_SECONDS = 1.0
METRICS_READER = Principal(user_id=None, username="metrics")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Answerer = Callable[[web.Request, str], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)


def handler(
    answer: Answerer,
) -> Handler:
    """Wrap an answerer: give the request its id, and turn whatever is raised into an answer."""

    async def handle(request: web.Request) -> web.StreamResponse:
        request_id = _request_id(request)
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                response: web.StreamResponse = await answer(request, request_id)
            except Exception as error:  # noqa: BLE001  a response is mapped here, STYLE rule 12
                response = failures.response(error, request_id=request_id)
        response.headers[REQUEST_ID] = request_id
        return response

    return handle


def route_handler(route: Route, services: Services) -> Handler:
    """Return what aiohttp calls for a route."""

    async def answer(request: web.Request, request_id: str) -> web.StreamResponse:
        del request_id
        principal = await _identified(request, services, route.permission)
        async with auditing.audited(route, request, principal, services.database):
            _admit(principal, route.permission)
            return await _answered(route, request, services, principal)

    return handler(answer)


async def _answered(
    route: Route, request: web.Request, services: Services, principal: Principal
) -> web.StreamResponse:
    call = Call(
        request=request,
        services=services,
        principal=principal,
        path=reading.parameters(route.parameters, request.match_info),
        query=reading.parameters(route.query, request.query),
        body=await reading.body(route.body, request),
    )
    call.ignored += [*unknown_fields(call.query), *unknown_fields(call.body)]
    response = await route.handler(call)
    if call.ignored:
        log.warning("ignored_in_request", operation=route.operation_id, names=call.ignored)
        answering.warn(response, call.ignored)
    return response


async def admitted(request: web.Request, services: Services, permission: Permission) -> Principal:
    """Say who sends a request; raise Unauthenticated, InvalidCredentials, Forbidden."""
    principal = await _identified(request, services, permission)
    _admit(principal, permission)
    return principal


async def _identified(
    request: web.Request, services: Services, permission: Permission
) -> Principal:
    if permission is Permission.METRICS and _has_token(request, services.installation):
        return METRICS_READER
    if permission is not Permission.ANYBODY:
        return await _principal(request, services)
    try:
        return await _principal(request, services, patience_seconds=IDENTIFY_SECONDS)
    except DatabaseUnavailable:
        # Health is asked for most urgently while Postgres is away, by probes that log in, too.
        return ANONYMOUS


def _admit(principal: Principal, permission: Permission) -> None:
    if permission is Permission.ANYBODY:
        return
    if permission is Permission.METRICS and principal is METRICS_READER:
        return
    if principal.is_anonymous:
        raise Unauthenticated
    if not principal.is_sysadmin:
        raise Forbidden


def _has_token(request: web.Request, installation: Installation) -> bool:
    """Say whether a request bears the token that reads metrics, where there is one."""
    scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    token = installation.metrics_token
    if not token or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), token.encode())


async def _principal(
    request: web.Request, services: Services, *, patience_seconds: float | None = None
) -> Principal:
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is None:
        return ANONYMOUS
    username, password = _basic(header)
    return await services.authenticator.basic(username, password, patience_seconds=patience_seconds)


def _basic(header: str) -> tuple[str, str]:
    """Read `Basic base64(name:password)`, RFC 7617; raise Unauthenticated."""
    scheme, _, encoded = header.strip().partition(" ")
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        raise Unauthenticated from None
    username, colon, password = decoded.partition(":")
    if scheme.lower() != "basic" or not colon:
        raise Unauthenticated
    return username, password


def _request_id(request: web.Request) -> str:
    given = request.headers.get(REQUEST_ID, "")
    return given if REQUEST_ID_GRAMMAR.fullmatch(given) else uuid.uuid4().hex
