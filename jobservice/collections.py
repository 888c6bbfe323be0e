"""Garbage collections: started, scheduled, and what was deleted."""

from __future__ import annotations

from access.audit import Event
from database.pool import Connection, Database
from jobservice.domain.collection import VENDOR_TYPE, CollectionParameters, Deleted
from jobservice.domain.listing import Listing, Rows
from jobservice.errors import ReadOnly
from jobservice.store import deleted as deleted_rows
from jobservice.upkeep import Parameters, Upkeep
from registry.admission import READ_ONLY
from registry.metadata import switches


async def _want_changes(connection: Connection, parameters: Parameters) -> None:
    """Raise ReadOnly where a run would write and nothing may be written."""
    asked = CollectionParameters.of(parameters)
    if not asked.dry_run and await switches.is_on(connection, READ_ONLY):
        raise ReadOnly


COLLECTIONS = Upkeep(
    vendor_type=VENDOR_TYPE,
    noun="garbage collection",
    started=Event.START_COLLECTION,
    admit=_want_changes,
)


async def deleted(database: Database, listing: Listing) -> Rows[Deleted]:
    """Return one page of what can be put back; fields are named as in store.deleted.COLUMNS."""
    async with database.connection() as connection:
        return await deleted_rows.page(connection, listing)
