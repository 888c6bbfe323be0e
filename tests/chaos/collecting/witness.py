"""What went, written down by triggers of the trial's own: the product's counters must say the same.

Rows are only added, so that nobody waits for anybody here.
"""

from __future__ import annotations

from collections.abc import Mapping

from database.pool import Connection

WITNESS = """
CREATE SCHEMA witness;
CREATE TABLE witness.seen (what text NOT NULL, bytes bigint NOT NULL DEFAULT 0);
CREATE FUNCTION witness.link_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO witness.seen VALUES ('links'); RETURN NULL; END $$;
CREATE TRIGGER witness AFTER DELETE ON registry.repository_blobs
    FOR EACH ROW EXECUTE FUNCTION witness.link_gone();
CREATE FUNCTION witness.blob_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO witness.seen VALUES ('blobs', OLD.size_bytes); RETURN NULL; END $$;
CREATE TRIGGER witness AFTER DELETE ON registry.blobs
    FOR EACH ROW EXECUTE FUNCTION witness.blob_gone();
CREATE FUNCTION witness.manifest_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO witness.seen VALUES (CASE WHEN NEW.deleted_by = 'garbage collection'
        THEN 'manifests' WHEN NEW.reason = 'retention' THEN 'retained' ELSE 'deleted' END);
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER INSERT ON registry.deleted_manifests
    FOR EACH ROW EXECUTE FUNCTION witness.manifest_gone();
-- A tombstone that becomes a blob again is no object that went.
CREATE FUNCTION witness.object_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO witness.seen SELECT 'objects', OLD.size_bytes
    WHERE NOT EXISTS (SELECT FROM registry.blobs WHERE storage_key = OLD.storage_key);
    RETURN NULL;
END $$;
CREATE TRIGGER witness AFTER DELETE ON registry.tombstones
    FOR EACH ROW EXECUTE FUNCTION witness.object_gone();
CREATE FUNCTION witness.deletion_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO witness.seen VALUES ('failures'); RETURN NULL; END $$;
CREATE TRIGGER witness_of_refusals AFTER UPDATE ON registry.tombstones
    FOR EACH ROW WHEN (NEW.attempts > OLD.attempts)
    EXECUTE FUNCTION witness.deletion_refused();
CREATE FUNCTION witness.pushed_again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO witness.seen SELECT 'pushed again during its sweep' WHERE EXISTS (
        SELECT FROM registry.tombstones WHERE digest = NEW.digest AND released_at IS NOT NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER witness_of_pushes AFTER INSERT ON registry.blobs
    FOR EACH ROW EXECUTE FUNCTION witness.pushed_again();
"""
COUNTS = "SELECT what, count(*) AS rows, sum(bytes)::bigint AS bytes FROM witness.seen GROUP BY 1"
AGAIN = "pushed again during its sweep"


async def begin(connection: Connection) -> None:
    """Look from now on."""
    await connection.execute(WITNESS)


async def counts(connection: Connection) -> Mapping[str, int]:
    """Return what was seen, named as the product's counters are, and the rest by its own name."""
    rows = {row["what"]: row for row in await connection.fetch(COUNTS)}
    seen = {what: int(row["rows"]) for what, row in rows.items()}
    for what, name in (("blobs", "blob_bytes"), ("objects", "object_bytes")):
        seen[name] = int(rows[what]["bytes"]) if what in rows else 0
    return seen
