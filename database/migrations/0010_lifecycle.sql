-- The lifecycle of tasks: who asked for a stop.
-- Everything here is an addition: workers of the release before this one go on working with it.

ALTER TABLE jobservice.executions ADD COLUMN stop_requested_by text NOT NULL DEFAULT '';
ALTER TABLE jobservice.tasks ADD COLUMN stop_requested_by text NOT NULL DEFAULT '';

-- Sweeping an execution with many tasks takes several transactions; from the first on its rows are
-- no longer the sum of its counters.
ALTER TABLE jobservice.executions ADD COLUMN swept_at timestamptz;
CREATE INDEX executions_being_swept ON jobservice.executions (id) WHERE swept_at IS NOT NULL;
CREATE INDEX task_log_chunks_by_age ON jobservice.task_log_chunks (created_at);
