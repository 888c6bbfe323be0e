"""From an answer's status and body to the one error that tells the caller what to do."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from protocol import media_types, retrying
from protocol.errors import (
    Denied,
    NotFound,
    RangeNotSatisfiable,
    RateLimited,
    RegistryError,
    RegistryFault,
    Rejected,
    Unauthorized,
    Unavailable,
    Unsupported,
)

ERROR_BODY_LIMIT_BYTES = 64 * 1024
_SHOWN_FAULTS = 5
_SHOWN_CHARACTERS = 300
_BY_STATUS: Mapping[int, type[RegistryError]] = {
    401: Unauthorized,
    403: Denied,
    404: NotFound,
    405: Unsupported,
    408: Unavailable,
    416: RangeNotSatisfiable,
    429: RateLimited,
    501: Unsupported,
}


def error_of(
    operation: str, url: str, status: int, headers: Mapping[str, str], body: bytes
) -> RegistryError:
    """Return the error of an answer; HTML, nothing and `{"errors": null}` are answers too."""
    faults = parse(body)
    kind = _BY_STATUS.get(status) or (Rejected if status < 500 else Unavailable)  # noqa: PLR2004 (5xx)
    if kind is Rejected and any(fault.code == "UNSUPPORTED" for fault in faults):
        kind = Unsupported
    error = kind(
        _message(status, headers, faults),
        operation=operation,
        url=url,
        status=status,
        faults=faults,
    )
    if isinstance(error, RateLimited | Unavailable):
        error.retry_after_seconds = retrying.retry_after_seconds(headers.get("Retry-After"))
    return error


def unauthorized(error: Unauthorized, *, given: bool) -> Unauthorized:
    """Return the error with what to do about it; `given` says that credentials were shown."""
    return Unauthorized(
        f"{error.message}; {remedy(given=given)}",
        operation=error.operation,
        url=error.url,
        status=error.status,
        faults=error.faults,
    )


def remedy(*, given: bool) -> str:
    """Say what to do about a 401."""
    if given:
        return "the credentials were refused: check user name, password and what they may do"
    return "no credentials were given: use docker login, or the endpoint's access key and secret"


def parse(body: bytes) -> tuple[RegistryFault, ...]:
    """Read the spec's error body (distribution-spec, Error Codes); empty for anything else."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return ()
    entries = value.get("errors") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return ()
    return tuple(
        RegistryFault(
            code=str(entry.get("code") or "UNKNOWN")[:_SHOWN_CHARACTERS],
            message=str(entry.get("message") or "")[:_SHOWN_CHARACTERS],
        )
        for entry in entries[:_SHOWN_FAULTS]
        if isinstance(entry, dict)
    )


def is_web_page(headers: Mapping[str, str]) -> bool:
    """Say whether an answer is a page for people: a login form, a proxy's complaint."""
    if "Docker-Content-Digest" in headers:
        return False
    return media_types.bare(headers.get("Content-Type", "")) in {
        "text/html",
        "application/xhtml+xml",
    }


def _message(status: int, headers: Mapping[str, str], faults: tuple[RegistryFault, ...]) -> str:
    if faults:
        said = "; ".join(f"{fault.code}: {fault.message}".rstrip(": ") for fault in faults)
        return f"the registry answered {status} {said}"
    if is_web_page(headers):
        return f"answered {status} with a web page; is this a registry?"
    return f"the registry answered {status}"
