"""The audit log in Harbor's shape (its tag `auditlog`)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from jobservice.api.models.base import HarborModel, LinkedPaging, OwnModel


class AuditLog(HarborModel):
    """An entry as earlier Harbors show it."""

    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    op_time: datetime


class TransshipAuditLog(OwnModel):
    """What Harbor's entry has no field for."""

    client_address: str
    details: dict[str, Any]


class AuditLogExt(HarborModel):
    """An entry: who did what, and whether it came to pass."""

    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    operation_description: str
    operation_result: bool
    op_time: datetime
    transship: TransshipAuditLog


class AuditLogEventType(HarborModel):
    """A kind of entry: an operation and the type of what it is done to."""

    event_type: str


class AuditLogQuery(LinkedPaging):
    """GET /audit-logs, /auditlog-exts."""

    q: str | None = None
    sort: str | None = None
