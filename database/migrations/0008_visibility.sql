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
CREATE INDEX executions_by_start ON jobservice.executions (vendor_type, created_at, id);
CREATE INDEX executions_by_end ON jobservice.executions
    (vendor_type, coalesce(ended_at, timestamptz '9999-12-31 00:00:00+00'), id);

CREATE INDEX tasks_by_status ON jobservice.tasks (execution_id, status, id);
