"""Time runs faster: leases, delays and windows of a moment, in a database that is only for this."""

from __future__ import annotations

from datetime import timedelta

from database.pool import Connection

# How long a manifest's lease is here: a whole one is an hour, from its push on.
MANIFEST_LEASE = timedelta(milliseconds=300)

# A blob's lease is at times shorter than a push takes: then that is refused, and begun again.
LEASES = f"""
CREATE SCHEMA haste;
CREATE FUNCTION haste.shorten_link() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.lease_until := least(NEW.lease_until, clock_timestamp() + random() * interval '0.3 s');
    RETURN NEW;
END $$;
CREATE TRIGGER haste BEFORE INSERT OR UPDATE ON registry.repository_blobs
    FOR EACH ROW EXECUTE FUNCTION haste.shorten_link();
CREATE FUNCTION haste.shorten_manifest() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.lease_until > now() + interval '30 minutes' THEN
        NEW.lease_until := NEW.lease_until - interval '1 hour' + interval '{MANIFEST_LEASE}';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER haste BEFORE INSERT OR UPDATE ON registry.manifests
    FOR EACH ROW EXECUTE FUNCTION haste.shorten_manifest();
"""
# Workers keep the delays as their settings say, in whole seconds; here nobody changes them again.
DELAYS = """
UPDATE registry.gc_delays
SET delay = CASE reason WHEN 'window' THEN interval '2 s' ELSE interval '0.1 s' END;
CREATE FUNCTION haste.keep_delay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RETURN OLD; END $$;
CREATE TRIGGER haste BEFORE UPDATE ON registry.gc_delays
    FOR EACH ROW EXECUTE FUNCTION haste.keep_delay();
"""
# What a dead worker held, others need not wait for.
BURY = (
    """UPDATE jobservice.leader SET lease_until = clock_timestamp()
       WHERE worker_id IN (SELECT id FROM jobservice.workers WHERE pid = $1)""",
    """UPDATE jobservice.tasks SET lease_until = clock_timestamp()
       WHERE status = 'running'
         AND worker_id IN (SELECT id FROM jobservice.workers WHERE pid = $1)""",
)
# An hour later: no lease holds anything, and what was put off is looked at.
END = (
    "UPDATE registry.gc_queue SET review_after = now() WHERE review_after > now()",
    "UPDATE registry.tombstones SET delete_after = now() WHERE delete_after > now()",
    "UPDATE registry.repository_blobs SET lease_until = now() WHERE lease_until > now()",
    "UPDATE registry.uploads SET expires_at = now() WHERE expires_at > now()",
)

# A minute later: nothing was used just now, and everything else came in the order in which it did.
_EARLIER = """
UPDATE registry.{} SET pushed_at = pushed_at - interval '1 minute',
    pulled_at = pulled_at - interval '1 minute', last_used_at = last_used_at - interval '1 minute'
"""
MINUTE = (
    _EARLIER.format("manifests"),
    _EARLIER.format("tags"),
    "UPDATE registry.gc_queue SET queued_at = queued_at - interval '1 minute'",
)


async def begin(connection: Connection) -> None:
    """Shorten everything."""
    await connection.execute(LEASES)
    await connection.execute(DELAYS)


async def bury(connection: Connection, pid: int) -> None:
    """Let the leases of a worker that was killed be over."""
    for statement in BURY:
        await connection.execute(statement, pid)


async def let_time_pass(connection: Connection) -> None:
    """Let what was held for somebody who went on pushing be held no longer: nobody does."""
    for statement in END:
        await connection.execute(statement)


async def let_a_minute_pass(connection: Connection) -> None:
    """Let it be a minute since anything was used; nobody is at work."""
    for statement in MINUTE:
        await connection.execute(statement)
