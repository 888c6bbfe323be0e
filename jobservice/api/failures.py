"""From an exception to an answer in Harbor's error shape: one table."""

from __future__ import annotations

import structlog
from aiohttp import web

from access import errors as access_errors
from database.errors import DatabaseUnavailable
from jobservice import errors
from jobservice.api import errors as api_errors
from jobservice.api.models.base import Error, Errors
from registry.collection import errors as collection_errors

TABLE: tuple[tuple[type[Exception], int, str], ...] = (
    (errors.InvalidRequest, 400, "BAD_REQUEST"),
    (access_errors.InvalidCredentials, 401, "UNAUTHORIZED"),
    (api_errors.Unauthenticated, 401, "UNAUTHORIZED"),
    (api_errors.Forbidden, 403, "FORBIDDEN"),
    (access_errors.InvalidProjectName, 400, "BAD_REQUEST"),
    (access_errors.ProjectNotFound, 404, "NOT_FOUND"),
    (access_errors.ProjectExists, 409, "CONFLICT"),
    (access_errors.ProjectNotEmpty, 412, "PRECONDITION"),
    (errors.NotFound, 404, "NOT_FOUND"),
    (collection_errors.NotDeleted, 404, "NOT_FOUND"),
    (collection_errors.UndeleteError, 412, "PRECONDITION"),
    (api_errors.NoSuchPath, 404, "NOT_FOUND"),
    (api_errors.MethodNotAllowed, 405, "METHOD_NOT_ALLOWED"),
    (errors.NameTaken, 409, "CONFLICT"),
    (errors.AlreadyLabelled, 409, "CONFLICT"),
    (errors.ScheduleExists, 409, "CONFLICT"),
    (errors.SameRules, 409, "CONFLICT"),
    (errors.Changed, 409, "CONFLICT"),
    (errors.PreconditionFailed, 412, "PRECONDITION"),
    (api_errors.BodyTooLarge, 413, "REQUEST_ENTITY_TOO_LARGE"),
    (api_errors.UnsupportedMediaType, 415, "UNSUPPORTED_MEDIA_TYPE"),
    (api_errors.NotBuilt, 501, "NOT_IMPLEMENTED"),
    (DatabaseUnavailable, 503, "SERVICE_UNAVAILABLE"),
)
# A defect.
UNKNOWN_STATUS = 500
UNKNOWN = "UNKNOWN"
CHALLENGE = 'Basic realm="transship", charset="UTF-8"'

log = structlog.get_logger(__name__)


def response(error: Exception, *, request_id: str) -> web.Response:
    """Return the answer for an exception; what nobody expected is logged and answers 500."""
    if isinstance(error, web.HTTPException):
        return _render(error.status, error.reason.upper().replace(" ", "_"), [error.reason])
    for kind, found, code in TABLE:
        if isinstance(error, kind):
            return _decorated(_render(found, code, _messages(error)), error)
    log.error("request_failed", exc_info=error)
    return _render(
        UNKNOWN_STATUS, UNKNOWN, [f"internal server error; the log has it under {request_id}"]
    )


def unhandled(status: int, sentence: str) -> web.Response:
    """Return the answer where no handler gave one."""
    code = "BAD_REQUEST" if status == web.HTTPBadRequest.status_code else UNKNOWN
    return _render(status, code, [sentence])


def status(error: Exception) -> int:
    """Return the status that answers an exception."""
    if isinstance(error, web.HTTPException):
        return error.status
    return next((found for kind, found, _ in TABLE if isinstance(error, kind)), UNKNOWN_STATUS)


def sentence(error: Exception) -> str:
    """Return what the caller is told, as one text; a defect's own words are not for callers."""
    if isinstance(error, web.HTTPException):
        return error.reason
    known = any(isinstance(error, kind) for kind, _, _ in TABLE)
    return "; ".join(_messages(error)) if known else "internal server error"


def _messages(error: Exception) -> list[str]:
    return list(error.problems) if isinstance(error, errors.InvalidRequest) else [str(error)]


def _decorated(answer: web.Response, error: Exception) -> web.Response:
    if isinstance(error, api_errors.MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(error.allowed)
    if answer.status == web.HTTPUnauthorized.status_code:
        answer.headers["WWW-Authenticate"] = CHALLENGE
    if answer.status == web.HTTPServiceUnavailable.status_code:
        answer.headers["Retry-After"] = "5"
    return answer


def _render(status: int, code: str, messages: list[str]) -> web.Response:
    body = Errors(errors=[Error(code=code, message=message) for message in messages])
    return web.Response(status=status, text=body.model_dump_json(), content_type="application/json")
