"""What collection would free: by what is known without looking at every object."""

from __future__ import annotations

from database.pool import Database
from registry.metadata import reclaimable
from registry.metadata.reclaimable import Totals


async def totals(database: Database) -> Totals:
    """Return what a sweep would free now, what it will after the window, and what holds up."""
    async with database.connection() as connection:
        return await reclaimable.totals(connection)
