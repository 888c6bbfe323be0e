"""How not to collect: decide and delete in one statement, with nothing underneath that holds.

Registries that lost data did it like this (reference/registry.md §3.2, race 3): while the statement
waits for a push that locked the row, its view of who refers to it grows old, and when the row
itself has not changed Postgres does not look again. Here it shows that the test sees such a loss.
"""

from __future__ import annotations

from typing import Any

# The foreign keys would refuse what this deletes wrongly.
WITHOUT_NET = """
DO $$ DECLARE found record; BEGIN
    FOR found IN
        SELECT conrelid::regclass AS held_by, conname FROM pg_constraint
        WHERE contype = 'f' AND confdeltype = 'r'
          AND confrelid::regclass::text IN ('registry.blobs', 'registry.repository_blobs')
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', found.held_by, found.conname);
    END LOOP;
END $$
"""
LINKS = """
DELETE FROM registry.repository_blobs l WHERE lease_until < now() AND NOT EXISTS (
    SELECT FROM registry.manifest_blobs m
    WHERE m.repository_id = l.repository_id AND m.blob_id = l.blob_id)
"""
BLOBS = """
WITH gone AS (
    DELETE FROM registry.blobs b
    WHERE NOT EXISTS (SELECT FROM registry.repository_blobs l WHERE l.blob_id = b.id)
    RETURNING storage_key, size_bytes
)
INSERT INTO registry.tombstones (storage_key, size_bytes, reason)
SELECT storage_key, size_bytes, 'collected' FROM gone
"""


async def take_the_net_away(connection: Any) -> None:
    """Drop the foreign keys of a database that is only for this."""
    await connection.execute(WITHOUT_NET)


async def collect(connection: Any) -> None:
    """Delete links and blobs that nothing seemed to need."""
    await connection.execute(LINKS)
    await connection.execute(BLOBS)
