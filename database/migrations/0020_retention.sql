-- Retention: which tags stay, what a run decided before it deletes anything, and whom it waits for.
-- Everything here is an addition: processes of the release before this one go on working with it.

-- Of a project of this registry, which has one at most, or of another registry.
CREATE TABLE jobservice.retention_policies (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint UNIQUE REFERENCES access.projects (id) ON DELETE CASCADE,
    endpoint_id bigint REFERENCES jobservice.endpoints (id) ON DELETE RESTRICT,
    rules       jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'object'),
    cron        text NOT NULL DEFAULT '' CHECK (char_length(cron) <= 256),
    extension   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(extension) = 'object'),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT retention_policies_are_of_one_place CHECK (num_nonnulls(project_id, endpoint_id) = 1)
);
CREATE INDEX retention_policies_endpoint ON jobservice.retention_policies (endpoint_id)
    WHERE endpoint_id IS NOT NULL;

-- A policy may go with its project, where nobody thinks of its schedule.
CREATE FUNCTION jobservice.delete_retention_schedule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM jobservice.schedules WHERE vendor_type = 'RETENTION' AND vendor_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER retention_policies_delete_schedule AFTER DELETE ON jobservice.retention_policies
    FOR EACH ROW EXECUTE FUNCTION jobservice.delete_retention_schedule();

-- What a run that nobody started by hand decided, in all, before it deletes anything; each time that it
-- decides anew is a round. `approval` is null for a run that needs none.
CREATE TABLE jobservice.retention_runs (
    execution_id bigint PRIMARY KEY REFERENCES jobservice.executions (id) ON DELETE CASCADE,
    round        integer NOT NULL DEFAULT 1 CHECK (round >= 1),
    candidates   bigint NOT NULL DEFAULT 0 CHECK (candidates >= 0),
    doomed       bigint NOT NULL DEFAULT 0 CHECK (doomed >= 0),
    doomed_bytes bigint NOT NULL DEFAULT 0 CHECK (doomed_bytes >= 0),
    approval     text CHECK (approval IN ('waiting', 'approved', 'rejected', 'expired')),
    reasons      text[] NOT NULL DEFAULT '{}',
    asked_at     timestamptz,
    asked_round  integer,
    expires_at   timestamptz,
    answered_at  timestamptz,
    answered_by  text NOT NULL DEFAULT '',
    CONSTRAINT retention_runs_ask_with_reasons
        CHECK (approval IS NULL
               OR (cardinality(reasons) > 0 AND asked_at IS NOT NULL AND expires_at IS NOT NULL)),
    CONSTRAINT retention_runs_are_answered_once
        CHECK ((answered_at IS NOT NULL) = (approval IS NOT NULL AND approval <> 'waiting'))
);

-- Everything that such a run may delete: nothing else goes, whatever the rules say by then. A reference is
-- a digest, or `tag@digest` where tags go one by one.
CREATE TABLE jobservice.retention_decisions (
    execution_id bigint NOT NULL REFERENCES jobservice.executions (id) ON DELETE CASCADE,
    round        integer NOT NULL CHECK (round >= 1),
    repository   text COLLATE "C" NOT NULL CHECK (repository <> ''),
    reference    text COLLATE "C" NOT NULL CHECK (reference <> ''),
    PRIMARY KEY (execution_id, round, repository, reference)
);

-- Whoever answers while the plan is about to lie down is heard all the same.
CREATE FUNCTION jobservice.wake_answered_retention() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM jobservice.retention_runs
               WHERE execution_id = NEW.execution_id AND approval = 'approved' AND asked_round = round) THEN
        NEW.not_before := now();
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER tasks_wake_answered_retention BEFORE UPDATE OF status ON jobservice.tasks
    FOR EACH ROW
    WHEN (NEW.job_type = 'RETENTION_PLAN' AND OLD.status = 'running' AND NEW.status = 'pending')
    EXECUTE FUNCTION jobservice.wake_answered_retention();
