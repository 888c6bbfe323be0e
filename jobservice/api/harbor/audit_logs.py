"""Entries of the audit log as Harbor shows them, in both of its shapes."""

from __future__ import annotations

from jobservice.api.models import audit as models
from jobservice.domain.audit_entry import AuditEntry


def entry(found: AuditEntry) -> models.AuditLog:
    """Return an entry in the shape of earlier Harbors."""
    return models.AuditLog(
        id=found.id,
        username=found.username,
        resource=found.resource,
        resource_type=found.resource_type,
        operation=found.operation,
        op_time=found.occurred_at,
    )


def extended(found: AuditEntry) -> models.AuditLogExt:
    """Return an entry with its description, its result and what Harbor has no field for."""
    return models.AuditLogExt(
        id=found.id,
        username=found.username,
        resource=found.resource,
        resource_type=found.resource_type,
        operation=found.operation,
        operation_description=found.description,
        operation_result=found.successful,
        op_time=found.occurred_at,
        transship=models.TransshipAuditLog(
            client_address=found.address, details=dict(found.details)
        ),
    )
