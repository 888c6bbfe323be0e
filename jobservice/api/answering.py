"""From models to answers: JSON, pages, and the warning for what had no effect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter

from jobservice.api.router import Call
from jobservice.domain.listing import COUNT_LIMIT

_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
_WARNING_LIMIT = 20


def json(value: Any, *, status: int = 200) -> web.Response:
    """Answer with a model, or a list or mapping of models; absent values are left out."""
    body = _ANYTHING.dump_json(value, exclude_none=True)
    return web.Response(status=status, body=body, content_type="application/json")


def created(call: Call[Any, Any, Any], key: int | str) -> web.Response:
    """Answer 201 with where the new thing is."""
    location = f"{call.request.path.rstrip('/')}/{key}"
    return web.Response(status=201, headers={"Location": location})


def set_total(answer: web.Response, total: int) -> None:
    """Say how many there are, or that there are more than are counted."""
    answer.headers["X-Total-Count"] = str(min(total, COUNT_LIMIT))
    if total > COUNT_LIMIT:
        answer.headers["X-Total-Count-Capped"] = "true"


def warn(answer: web.StreamResponse, ignored: Sequence[str]) -> None:
    """Name in a Warning header (RFC 7234, 5.5.5) what had no effect."""
    names = ", ".join(ignored[:_WARNING_LIMIT])
    if len(ignored) > _WARNING_LIMIT:
        names += f" and {len(ignored) - _WARNING_LIMIT} more"
    text = f"ignored, not known here: {names}".encode("ascii", "replace").decode()
    printable = "".join(c if c.isprintable() else "?" for c in text)
    quoted = printable.replace("\\", "\\\\").replace('"', '\\"')
    answer.headers.add("Warning", f'299 transship "{quoted[:1000]}"')
