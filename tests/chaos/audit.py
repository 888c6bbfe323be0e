"""Who wrote what: triggers beside the product's own that know each worker by its role.

What they note is judged in SQL, under the row's lock: a write to a running task by somebody who
neither holds it nor may take it back, and what only the leader may write by somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.chaos.house import House

SCHEMA = """
CREATE SCHEMA chaos;
CREATE TABLE chaos.workers (worker_id bigint PRIMARY KEY, role text NOT NULL, pid integer NOT NULL,
                            began_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE chaos.zombies (id bigint GENERATED ALWAYS AS IDENTITY, what text NOT NULL,
                            task_id bigint NOT NULL, role text NOT NULL,
                            written_at timestamptz NOT NULL DEFAULT clock_timestamp());

CREATE FUNCTION chaos.remember() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.workers VALUES (NEW.id, session_user, NEW.pid);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_remember AFTER INSERT ON jobservice.workers
    FOR EACH ROW EXECUTE FUNCTION chaos.remember();

CREATE FUNCTION chaos.role_of(the_worker bigint) RETURNS text LANGUAGE sql STABLE AS
$$ SELECT role FROM chaos.workers WHERE worker_id = the_worker $$;
CREATE FUNCTION chaos.leads() RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (SELECT FROM jobservice.leader WHERE chaos.role_of(worker_id) = session_user)
$$;

-- The API's role stops tasks and retries them; a worker's may write to what it holds, and take a
-- delivery or give it back. Everything else is the leader's.
CREATE FUNCTION chaos.watch_task() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    what text := OLD.status || ' to ' || NEW.status;
BEGIN
    IF session_user NOT LIKE 'worker%' THEN
        RETURN NULL;
    END IF;
    IF OLD.status = 'running' THEN
        IF chaos.role_of(OLD.worker_id) = session_user THEN
            RETURN NULL;
        END IF;
        IF OLD.lease_until < clock_timestamp() AND NEW.rescues > OLD.rescues AND chaos.leads() THEN
            RETURN NULL;
        END IF;
    ELSIF NEW.status = 'running' AND chaos.role_of(NEW.worker_id) = session_user THEN
        RETURN NULL;
    ELSIF OLD.status = 'queued' AND NEW.status = 'pending' THEN
        RETURN NULL;
    ELSIF chaos.leads() THEN
        RETURN NULL;
    END IF;
    INSERT INTO chaos.zombies (what, task_id, role) VALUES (what, NEW.id, session_user);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_watch AFTER UPDATE ON jobservice.tasks
    FOR EACH ROW EXECUTE FUNCTION chaos.watch_task();

CREATE FUNCTION chaos.watch_progress() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.zombies (what, task_id, role)
    SELECT 'progress', NEW.task_id, session_user FROM jobservice.tasks AS task
    WHERE task.id = NEW.task_id
      AND (task.fence <> NEW.fence OR chaos.role_of(task.worker_id) <> session_user);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_watch AFTER INSERT OR UPDATE ON jobservice.task_progress
    FOR EACH ROW EXECUTE FUNCTION chaos.watch_progress();
"""


async def prepare(house: House) -> None:
    """Give every worker a role, and lay the triggers."""
    connection = await house.connect()
    try:
        for worker in house.workers:
            await connection.execute(
                f"CREATE ROLE {worker.role} SUPERUSER LOGIN PASSWORD '{house.role_password}'"
            )
        await connection.execute(SCHEMA)
    finally:
        await connection.close()


ZOMBIES = """
SELECT what, task_id, role, written_at FROM chaos.zombies WHERE id > $1 ORDER BY id
"""
LAST_ZOMBIE = "SELECT coalesce(max(id), 0) FROM chaos.zombies"


async def zombie_writes(connection: Any, since: int) -> list[str]:
    """Return what a zombie wrote."""
    rows = await connection.fetch(ZOMBIES, since)
    return [f"{row['role']}: task {row['task_id']}, {row['what']}" for row in rows]


async def last(connection: Any) -> int:
    """Return the number of the last note, to be given to `zombie_writes`."""
    number: int = await connection.fetchval(LAST_ZOMBIE)
    return number
