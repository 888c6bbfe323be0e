"""The rules of a project that make tags immutable, to look at; registry.metadata writes them."""

from __future__ import annotations

from database.pool import Connection
from jobservice.domain.listing import Listing, Rows
from jobservice.store import listing as listing_sql
from registry.immutability import ImmutableRule
from registry.metadata import immutable_rules

COLUMNS = {"id": "id", "project_id": "project_id", "disabled": "disabled", "priority": "priority"}
SELECT = """
SELECT id, project_id, disabled, priority, repository_decoration, repository_pattern,
       tag_decoration, tag_pattern
FROM registry.immutable_rules
"""
TABLE = listing_sql.Table(select=SELECT, source="registry.immutable_rules", columns=COLUMNS)


async def page(connection: Connection, listing: Listing) -> Rows[ImmutableRule]:
    """Return one page of rules; fields are named as in COLUMNS."""
    return await listing_sql.page(connection, TABLE, listing, immutable_rules.from_row)
