-- Schedules: when what belongs to a vendor starts by itself, and what became of each fire time.
-- Everything here is an addition: workers of the release before this one go on working with it.
CREATE TABLE jobservice.schedules (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor_type     text NOT NULL CHECK (vendor_type <> ''),
    -- -1 where it belongs to the whole installation.
    vendor_id       bigint NOT NULL,
    cron            text NOT NULL CHECK (char_length(cron) BETWEEN 1 AND 256),
    time_zone       text NOT NULL DEFAULT 'UTC' CHECK (time_zone <> ''),
    jitter_seconds  integer NOT NULL DEFAULT 0 CHECK (jitter_seconds BETWEEN 0 AND 3600),
    misfire         text NOT NULL DEFAULT 'run_once' CHECK (misfire IN ('skip', 'run_once')),
    ends_at         timestamptz,
    enabled         boolean NOT NULL DEFAULT true,
    parameters      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    -- What the expression names next, and when that is due: the same, or later by the jitter.
    next_fire_time  timestamptz,
    next_fire_at    timestamptz,
    last_fire_at    timestamptz,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schedules_one_per_vendor UNIQUE (vendor_type, vendor_id),
    CONSTRAINT schedules_due_at_or_after_their_fire_time
        CHECK ((next_fire_time IS NULL) = (next_fire_at IS NULL) AND next_fire_at >= next_fire_time),
    CONSTRAINT schedules_disabled_have_no_next CHECK (enabled OR next_fire_time IS NULL)
) WITH (fillfactor = 70);

CREATE INDEX schedules_due ON jobservice.schedules (next_fire_at, id) WHERE next_fire_at IS NOT NULL;

-- Each fire time once, whoever fires and how often. No foreign key to executions: those are swept.
CREATE TABLE jobservice.schedule_fires (
    schedule_id  bigint NOT NULL REFERENCES jobservice.schedules (id) ON DELETE CASCADE,
    fire_time    timestamptz NOT NULL,
    fired_at     timestamptz NOT NULL,
    outcome      text NOT NULL CHECK (outcome IN ('started', 'skipped', 'refused')),
    execution_id bigint,
    detail       text NOT NULL DEFAULT '',
    PRIMARY KEY (schedule_id, fire_time),
    CONSTRAINT schedule_fires_started_one CHECK ((outcome = 'started') = (execution_id IS NOT NULL)),
    CONSTRAINT schedule_fires_say_why CHECK (outcome = 'started' OR detail <> '')
);

-- When a schedule last did what it is there for. A table of its own: who settles an execution never
-- waits for who fires a schedule.
CREATE TABLE jobservice.schedule_successes (
    schedule_id  bigint PRIMARY KEY REFERENCES jobservice.schedules (id) ON DELETE CASCADE,
    execution_id bigint NOT NULL,
    succeeded_at timestamptz NOT NULL
);

-- No foreign key: an execution outlives its schedule, and who deletes the one need not lock the other.
ALTER TABLE jobservice.executions ADD COLUMN schedule_id bigint;

CREATE FUNCTION jobservice.record_scheduled_success() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO jobservice.schedule_successes AS known (schedule_id, execution_id, succeeded_at)
    SELECT id, NEW.id, NEW.ended_at FROM jobservice.schedules WHERE id = NEW.schedule_id FOR KEY SHARE
    ON CONFLICT (schedule_id) DO UPDATE
        SET execution_id = excluded.execution_id, succeeded_at = excluded.succeeded_at
        WHERE known.succeeded_at < excluded.succeeded_at;
    RETURN NULL;
END $$;

CREATE TRIGGER executions_scheduled_success AFTER UPDATE ON jobservice.executions
    FOR EACH ROW
    WHEN (NEW.schedule_id IS NOT NULL AND NEW.status = 'succeeded' AND OLD.status <> 'succeeded')
    EXECUTE FUNCTION jobservice.record_scheduled_success();

-- Whoever lets schedules go on, the scheduler hears of it.
CREATE FUNCTION jobservice.ring_scheduler() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('jobservice_schedules', '');
    RETURN NULL;
END $$;

CREATE TRIGGER pauses_ring_scheduler AFTER INSERT OR UPDATE OR DELETE ON jobservice.pauses
    FOR EACH STATEMENT EXECUTE FUNCTION jobservice.ring_scheduler();
