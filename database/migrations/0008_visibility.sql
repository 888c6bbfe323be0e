-- What operators see: who did what, and lists that stay fast with a long history.
-- Everything here is an addition: workers of the release before this one go on working with it.

-- What somebody did, or tried to do. Names are copied: the log outlives whom and what it tells of.
CREATE TABLE access.audit_log (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    occurred_at   timestamptz NOT NULL DEFAULT now(),
    user_id       bigint,
    username      text NOT NULL,
    address       text NOT NULL DEFAULT '',
    operation     text NOT NULL CHECK (operation <> ''),
    resource_type text NOT NULL CHECK (resource_type <> ''),
    resource      text NOT NULL,
    description   text NOT NULL DEFAULT '',
    successful    boolean NOT NULL,
    details       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object')
);
CREATE INDEX audit_log_by_time ON access.audit_log (occurred_at, id);
CREATE INDEX audit_log_by_username ON access.audit_log (username, id);
CREATE INDEX audit_log_by_operation ON access.audit_log (operation, id);
CREATE INDEX audit_log_by_resource_type ON access.audit_log (resource_type, id);
CREATE INDEX audit_log_by_resource ON access.audit_log (resource, id);
CREATE INDEX audit_log_by_result ON access.audit_log (successful, id);
-- Counting reads indexes alone while the table is vacuumed as it grows.
ALTER TABLE access.audit_log SET (autovacuum_vacuum_insert_scale_factor = 0.02);

-- Lists of executions, in each order and by each condition that they have.
CREATE INDEX executions_listed ON jobservice.executions (vendor_type, id);
CREATE INDEX executions_by_status ON jobservice.executions (vendor_type, status, id);
CREATE INDEX executions_by_trigger ON jobservice.executions (vendor_type, trigger, id);
CREATE INDEX executions_by_policy_listed ON jobservice.executions
    (vendor_type, coalesce(policy_id, 0), id);
CREATE INDEX executions_by_start ON jobservice.executions (vendor_type, created_at, id);
CREATE INDEX executions_by_end ON jobservice.executions
    (vendor_type, coalesce(ended_at, timestamptz '9999-12-31 00:00:00+00'), id);

CREATE INDEX tasks_by_status ON jobservice.tasks (execution_id, status, id);
CREATE INDEX tasks_by_type ON jobservice.tasks (job_type, status, id);

-- What the ended tasks of an execution took, kept by triggers: whichever release settles a task, it
-- is added once, in the same transaction.
CREATE TABLE jobservice.efforts (
    execution_id bigint PRIMARY KEY REFERENCES jobservice.executions (id) ON DELETE CASCADE,
    bytes_copied bigint NOT NULL DEFAULT 0,
    bytes_saved  bigint NOT NULL DEFAULT 0,
    requests     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE FUNCTION jobservice.counted_in(result jsonb, name text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(result -> name) WHEN 'number'
           THEN least(trunc((result -> name)::numeric), 9000000000000000)::bigint ELSE 0 END
$$;

-- Rows are added in the order of executions, which is the order of everybody's locks.
CREATE FUNCTION jobservice.add_effort() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows WHERE result IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    INSERT INTO jobservice.efforts AS effort (execution_id, bytes_copied, bytes_saved, requests)
    SELECT execution_id, sum(jobservice.counted_in(result, 'bytes_copied')),
           sum(jobservice.counted_in(result, 'bytes_saved')),
           sum(jobservice.counted_in(result, 'requests'))
    FROM new_rows WHERE result IS NOT NULL GROUP BY execution_id ORDER BY execution_id
    ON CONFLICT (execution_id) DO UPDATE
    SET bytes_copied = effort.bytes_copied + excluded.bytes_copied,
        bytes_saved = effort.bytes_saved + excluded.bytes_saved,
        requests = effort.requests + excluded.requests;
    RETURN NULL;
END $$;

-- A result is written when a task ends, and never again.
CREATE FUNCTION jobservice.add_settled_effort() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM new_rows WHERE result IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    INSERT INTO jobservice.efforts AS effort (execution_id, bytes_copied, bytes_saved, requests)
    SELECT task.execution_id, sum(jobservice.counted_in(task.result, 'bytes_copied')),
           sum(jobservice.counted_in(task.result, 'bytes_saved')),
           sum(jobservice.counted_in(task.result, 'requests'))
    FROM new_rows AS task JOIN old_rows AS before USING (id)
    WHERE task.result IS NOT NULL AND before.result IS NULL
    GROUP BY task.execution_id ORDER BY task.execution_id
    ON CONFLICT (execution_id) DO UPDATE
    SET bytes_copied = effort.bytes_copied + excluded.bytes_copied,
        bytes_saved = effort.bytes_saved + excluded.bytes_saved,
        requests = effort.requests + excluded.requests;
    RETURN NULL;
END $$;

CREATE TRIGGER tasks_planned_effort AFTER INSERT ON jobservice.tasks
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION jobservice.add_effort();
CREATE TRIGGER tasks_settled_effort AFTER UPDATE ON jobservice.tasks
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION jobservice.add_settled_effort();

INSERT INTO jobservice.efforts (execution_id, bytes_copied, bytes_saved, requests)
SELECT execution_id, sum(jobservice.counted_in(result, 'bytes_copied')),
       sum(jobservice.counted_in(result, 'bytes_saved')),
       sum(jobservice.counted_in(result, 'requests'))
FROM jobservice.tasks WHERE result IS NOT NULL GROUP BY execution_id;

-- How fast a running task moves bytes, by its worker's readings; NULL while nobody can tell.
ALTER TABLE jobservice.task_progress ADD COLUMN bytes_per_second bigint;
