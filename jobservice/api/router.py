"""Routes as data: what a request may hold, who may send it, what comes back.

The application and the OpenAPI document are both made from these declarations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from access.audit import Event
from access.identity import Principal
from jobservice.api.models.base import Nothing, Paging
from jobservice.api.services import Services

API_ROOT = "/api/v2.0"

Query = TypeVar("Query", bound=BaseModel)
Body = TypeVar("Body", bound=BaseModel)
Path = TypeVar("Path", bound=BaseModel)


class Permission(Enum):
    """Who may send a request."""

    ANYBODY = auto()
    # A system administrator, or who has the token that reads metrics and nothing else.
    METRICS = auto()
    SYSTEM_ADMINISTRATOR = auto()


@dataclass(slots=True, kw_only=True)
class Call(Generic[Path, Query, Body]):
    """One request, understood; `ignored` collects names that had no effect."""

    request: web.Request
    services: Services
    principal: Principal
    path: Path
    query: Query
    body: Body
    ignored: list[str] = field(default_factory=list)


Handler = Callable[[Call[Any, Any, Any]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. `response` is a model or a list of one; None has no body.

    `errors` are the statuses beyond those that every route of its kind may answer. `event` is what
    the audit log calls a failure of it; whoever changes something has one. An answer may also be of
    one of `other_media_types`, as text; `plain_errors` are told in plain text, too.
    """

    method: str
    path: str
    handler: Handler
    operation_id: str
    tag: str
    permission: Permission = Permission.SYSTEM_ADMINISTRATOR
    parameters: type[BaseModel] = Nothing
    query: type[BaseModel] = Nothing
    body: type[BaseModel] = Nothing
    response: Any = None
    status: int = 200
    media_type: str = "application/json"
    other_media_types: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    plain_errors: tuple[int, ...] = ()
    event: Event | None = None

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.handler.__doc__ or "").strip().splitlines()[0]

    @property
    def paged(self) -> bool:
        """Whether the answer is a page of a list."""
        return issubclass(self.query, Paging)
