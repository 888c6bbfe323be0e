"""The table access.audit_log, to look at; access.audit writes it."""

from __future__ import annotations

from database.pool import Connection, Record
from jobservice.domain.audit_entry import AuditEntry
from jobservice.domain.listing import Listing, Rows
from jobservice.store import listing as listing_sql

COLUMNS = {
    "id": "id",
    "username": "username",
    "operation": "operation",
    "resource_type": "resource_type",
    "resource": "resource",
    "operation_description": "description",
    "operation_result": "successful",
    "op_time": "occurred_at",
}

SELECT = """
SELECT id, occurred_at, username, address, operation, resource_type, resource, description,
       successful, details
FROM access.audit_log
"""

TABLE = listing_sql.Table(select=SELECT, source="access.audit_log", columns=COLUMNS, endless=True)


async def page(connection: Connection, listing: Listing) -> Rows[AuditEntry]:
    """Return one page of the audit log; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, _entry)


def _entry(row: Record) -> AuditEntry:
    return AuditEntry(**row)
