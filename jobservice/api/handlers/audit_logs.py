"""Harbor's tag `auditlog`."""

from __future__ import annotations

from aiohttp import web

from access.audit import Event
from jobservice import audit_logs
from jobservice.api import answering, listing, querying
from jobservice.api.harbor import audit_logs as harbor
from jobservice.api.models import audit as models
from jobservice.api.models.base import Nothing
from jobservice.api.querying import FieldType
from jobservice.api.router import API_ROOT, Call, Route
from jobservice.domain.listing import Between, Listing

TAG = "auditlog"
FIELDS = {
    "id": FieldType.INTEGER,
    "username": FieldType.TEXT,
    "operation": FieldType.TEXT,
    "resource_type": FieldType.TEXT,
    "resource": FieldType.TEXT,
    "operation_result": FieldType.BOOLEAN,
    "op_time": FieldType.TIME,
}


async def list_audit_logs(call: Call[Nothing, models.AuditLogQuery, Nothing]) -> web.Response:
    """List the audit log in the shape of earlier Harbors, the latest first."""
    asked = _asked(call)
    found = await audit_logs.page(call.services.database, asked)
    return listing.answer(call, asked, found, harbor.entry)


async def list_audit_log_exts(call: Call[Nothing, models.AuditLogQuery, Nothing]) -> web.Response:
    """List the audit log, the latest first."""
    asked = _asked(call)
    found = await audit_logs.page(call.services.database, asked)
    return listing.answer(call, asked, found, harbor.extended)


async def list_event_types(call: Call[Nothing, Nothing, Nothing]) -> web.Response:
    """List the types of entries that there can be."""
    del call
    return answering.json([models.AuditLogEventType(event_type=event) for event in Event])


def _asked(call: Call[Nothing, models.AuditLogQuery, Nothing]) -> Listing:
    """The latest first: by time where a stretch of time is asked for, as its index has it."""
    conditions = querying.parse(call.query.q, None, FIELDS).conditions
    by_time = any(isinstance(c, Between) and c.field == "op_time" for c in conditions)
    by = "op_time" if by_time else "id"
    return listing.asked(call, FIELDS, latest_first=True, by=by)


ROUTES = (
    Route(
        method="GET",
        path=f"{API_ROOT}/audit-logs",
        handler=list_audit_logs,
        operation_id="listAuditLogs",
        tag=TAG,
        query=models.AuditLogQuery,
        response=list[models.AuditLog],
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/auditlog-exts",
        handler=list_audit_log_exts,
        operation_id="listAuditLogExts",
        tag=TAG,
        query=models.AuditLogQuery,
        response=list[models.AuditLogExt],
    ),
    Route(
        method="GET",
        path=f"{API_ROOT}/auditlog-exts/events",
        handler=list_event_types,
        operation_id="listAuditLogEventTypes",
        tag=TAG,
        response=list[models.AuditLogEventType],
    ),
)
