"""The one table from what went wrong to what a client is told (distribution-spec, Error Codes)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from aiohttp import web

from access.errors import InvalidCredentials
from protocol import errors
from protocol.errors import RegistryFault
from registry.errors import MANIFEST_TOO_LARGE_STATUS
from registry.http.bodies import ClientSilent

CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="transship"'}

# Errors that say nothing of HTTP, and what they are on the wire.
_TABLE: Final[dict[type[Exception], tuple[int, str]]] = {
    errors.InvalidDigest: (400, "DIGEST_INVALID"),
    errors.DigestMismatch: (400, "DIGEST_INVALID"),
    errors.SizeMismatch: (400, "SIZE_INVALID"),
    errors.InvalidManifest: (400, "MANIFEST_INVALID"),
    errors.InvalidReference: (400, "NAME_INVALID"),
    errors.ManifestTooLarge: (MANIFEST_TOO_LARGE_STATUS, "SIZE_INVALID"),
    InvalidCredentials: (401, "UNAUTHORIZED"),
    ClientSilent: (408, "UNKNOWN"),
}
MAPPED: Final[tuple[type[Exception], ...]] = (errors.RegistryError, *_TABLE)


def response_for(error: Exception) -> web.Response:
    """Return the answer to one of MAPPED."""
    if isinstance(error, errors.RegistryError):
        headers = CHALLENGE if isinstance(error, errors.Unauthorized) else {}
        return render(error.status, error.faults, headers)
    status, code = next(entry for kind, entry in _TABLE.items() if isinstance(error, kind))
    headers = CHALLENGE if isinstance(error, InvalidCredentials) else {}
    return render(status, [RegistryFault(code=code, message=str(error))], headers)


def render(
    status: int, faults: Sequence[RegistryFault], headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return an error body of the distribution-spec."""
    body = {"errors": [{"code": fault.code, "message": fault.message} for fault in faults]}
    return web.Response(
        status=status, body=orjson.dumps(body), content_type="application/json", headers=headers
    )
