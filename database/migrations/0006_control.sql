-- Control of executions and tasks: whose turn it is, what is held back and why, and what happened when.
-- Everything here is an addition: workers of the release before this one go on working with it.

-- The registries that an execution's tasks talk to (0 is this registry), the one it writes to, and what
-- it belongs to where that is not a replication policy.
ALTER TABLE jobservice.executions
    ADD COLUMN vendor_id      bigint,
    ADD COLUMN endpoint_ids   bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN destination_id bigint,
    -- Waiting makes up for priority: one level is worth ten minutes. Compared as a time this never changes.
    ADD COLUMN turn_at        timestamptz;

CREATE OR REPLACE FUNCTION jobservice.roll_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.turn_at := NEW.created_at - NEW.priority * interval '10 minutes';
    IF NEW.plan_status IS NULL OR NEW.succeeded + NEW.failed + NEW.stopped < NEW.total THEN
        NEW.status := CASE WHEN NEW.started_at IS NULL THEN 'pending' ELSE 'running' END;
        NEW.ended_at := NULL;
    ELSE
        NEW.status := CASE
            WHEN NEW.failed > 0 OR NEW.plan_status = 'failed' THEN 'failed'
            WHEN NEW.stopped > 0 OR NEW.plan_status = 'stopped' THEN 'stopped'
            ELSE 'succeeded' END;
        NEW.ended_at := coalesce(NEW.ended_at, clock_timestamp());
    END IF;
    RETURN NEW;
END $$;

UPDATE jobservice.executions SET turn_at = created_at - priority * interval '10 minutes';

CREATE INDEX executions_turn ON jobservice.executions (turn_at, id) WHERE ended_at IS NULL;
CREATE INDEX executions_by_vendor ON jobservice.executions (vendor_type, vendor_id, id);

-- `reason` says why a task is in its state, in words for people. Of unfinished tasks of a type only one
-- has a given `unique_key`.
ALTER TABLE jobservice.tasks
    ADD COLUMN reason     text NOT NULL DEFAULT '',
    ADD COLUMN unique_key text CHECK (unique_key <> '');

CREATE UNIQUE INDEX tasks_unique ON jobservice.tasks (job_type, unique_key)
    WHERE unique_key IS NOT NULL AND status IN ('pending', 'queued', 'running', 'retrying');

-- An operator may let what failed or was stopped try again: the same row, the same execution.
CREATE OR REPLACE FUNCTION jobservice.may_become(was text, becomes text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE was
        WHEN 'pending' THEN becomes IN ('queued', 'stopped')
        WHEN 'queued' THEN becomes IN ('running', 'pending', 'stopped')
        WHEN 'running' THEN becomes IN ('succeeded', 'failed', 'stopped', 'retrying', 'pending')
        WHEN 'retrying' THEN becomes IN ('pending', 'stopped')
        WHEN 'failed' THEN becomes IN ('pending')
        WHEN 'stopped' THEN becomes IN ('pending')
        ELSE false END
$$;

-- Every transition of every task; written by a trigger, so that none goes unseen. `xact` lets a reader
-- that follows see each row once: those below the oldest running transaction are complete.
CREATE TABLE jobservice.task_events (
    task_id      bigint NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    execution_id bigint NOT NULL,
    occurred_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    was          text NOT NULL,
    becomes      text NOT NULL,
    delivery     integer NOT NULL,
    attempt      integer NOT NULL,
    fence        bigint NOT NULL,
    worker_id    bigint,
    reason       text NOT NULL,
    xact         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (task_id, id)
);
CREATE INDEX task_events_xact ON jobservice.task_events (xact);

CREATE FUNCTION jobservice.record_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobservice.task_events
        (task_id, execution_id, was, becomes, delivery, attempt, fence, worker_id, reason)
    VALUES (NEW.id, NEW.execution_id, OLD.status, NEW.status, NEW.delivery, NEW.attempt, NEW.fence,
            CASE WHEN OLD.status = 'running' OR NEW.status = 'running' THEN NEW.worker_id END, NEW.reason);
    -- Here and not in the statement that settles: that one does not see what was written under it.
    IF OLD.status = 'running' THEN
        DELETE FROM jobservice.task_progress WHERE task_id = OLD.id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER tasks_recorded AFTER UPDATE OF status ON jobservice.tasks
    FOR EACH ROW WHEN (OLD.status <> NEW.status)
    EXECUTE FUNCTION jobservice.record_transition();

-- What operators hold back. The key: a job type, a policy's id, a destination's id; empty for the rest.
CREATE TABLE jobservice.pauses (
    scope     text NOT NULL CHECK (scope IN ('job_type', 'policy', 'destination', 'schedules', 'everything')),
    key       text NOT NULL DEFAULT '',
    paused_by text NOT NULL,
    paused_at timestamptz NOT NULL DEFAULT now(),
    comment   text NOT NULL DEFAULT '',
    PRIMARY KEY (scope, key),
    CONSTRAINT pauses_key_where_it_says_something
        CHECK ((key = '') = (scope IN ('schedules', 'everything')))
);

-- How hard registries may be worked, over all workers; NULL is unlimited. No foreign key: 0 is this registry.
CREATE TABLE jobservice.endpoint_limits (
    endpoint_id         bigint PRIMARY KEY CHECK (endpoint_id >= 0),
    concurrency         integer CHECK (concurrency > 0),
    requests_per_second double precision CHECK (requests_per_second > 0),
    -- The registry asked for a pause (429, Retry-After): nothing that talks to it starts before this.
    postponed_until     timestamptz,
    postponed_because   text NOT NULL DEFAULT ''
);
