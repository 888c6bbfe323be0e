"""Labels, to look at; registry.metadata writes them."""

from __future__ import annotations

from database.pool import Connection
from jobservice.domain.listing import Listing, Rows
from jobservice.store import listing as listing_sql
from registry.metadata import labels
from registry.metadata.labels import Label

COLUMNS = {
    "id": "l.id",
    "name": "l.name",
    "description": "l.description",
    "color": "l.color",
    "scope": "CASE WHEN l.project_id IS NULL THEN 'g' ELSE 'p' END",
    "project_id": "coalesce(l.project_id, 0)",
    "creation_time": "l.created_at",
    "update_time": "l.updated_at",
}
SELECT = f"SELECT {labels.COLUMNS}\nFROM registry.labels l"
TABLE = listing_sql.Table(select=SELECT, source="registry.labels l", columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[Label]:
    """Return one page of labels; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, labels.from_row)
