"""Failures in the audit log: what somebody tried to change and was refused.

What succeeded is recorded by the use case, in its own transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web

from access import audit
from access.audit import Actor, Entry, Event
from access.identity import Principal
from database.errors import DatabaseUnavailable
from database.pool import Database
from jobservice import logging as service_logging
from jobservice.api import failures
from jobservice.api.router import Route

log = structlog.get_logger(__name__)


@asynccontextmanager
async def audited(
    route: Route, request: web.Request, principal: Principal, database: Database
) -> AsyncIterator[None]:
    """Make the caller the one who acts inside, and record what of it fails."""
    with audit.acting(Actor(principal=principal, address=request.remote or "")):
        try:
            yield
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if route.event is not None and not principal.is_anonymous:
                await _record(database, _entry(route.event, route, request, error))
            raise


async def _record(database: Database, entry: Entry) -> None:
    try:
        async with database.connection() as connection:
            await audit.record(connection, entry)
    except DatabaseUnavailable as error:
        log.warning("audit_not_recorded", event_type=entry.event, reason=str(error))


def _entry(event: Event, route: Route, request: web.Request, error: Exception) -> Entry:
    told = service_logging.redact_text(failures.sentence(error))
    return Entry(
        event=event,
        resource=request.path,
        description=f"{route.operation_id}: {told}",
        successful=False,
        details={"status": failures.status(error)},
    )
