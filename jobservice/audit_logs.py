"""Looking at the audit log."""

from __future__ import annotations

from database.pool import Database
from jobservice.domain.audit_entry import AuditEntry
from jobservice.domain.listing import Listing, Rows
from jobservice.store import audit_log


async def page(database: Database, listing: Listing) -> Rows[AuditEntry]:
    """Return one page of entries; fields are named as in store.audit_log.COLUMNS."""
    async with database.connection() as connection:
        return await audit_log.page(connection, listing)
