"""Time runs faster: leases, delays and windows of a moment, in a database that is only for this."""

from __future__ import annotations

from typing import Any

# A lease is at times shorter than a push takes: then the push is refused, and begun again.
LEASES = """
CREATE SCHEMA haste;
CREATE FUNCTION haste.shorten() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.lease_until := least(NEW.lease_until, clock_timestamp() + random() * interval '0.3 s');
    RETURN NEW;
END $$;
CREATE TRIGGER haste BEFORE INSERT OR UPDATE ON registry.repository_blobs
    FOR EACH ROW EXECUTE FUNCTION haste.shorten();
CREATE TRIGGER haste BEFORE INSERT OR UPDATE ON registry.manifests
    FOR EACH ROW EXECUTE FUNCTION haste.shorten();
"""
DELAYS = "UPDATE registry.gc_delays SET delay = interval '100 milliseconds'"
END = (
    "UPDATE registry.repository_blobs SET lease_until = now() WHERE lease_until > now()",
    "UPDATE registry.uploads SET expires_at = now() WHERE expires_at > now()",
)


async def begin(connection: Any) -> None:
    """Shorten everything."""
    await connection.execute(LEASES)
    await connection.execute(DELAYS)


async def end_all_leases(connection: Any) -> None:
    """Let what was held for somebody who went on pushing be held no longer: nobody does."""
    for statement in END:
        await connection.execute(statement)
