-- The lifecycle of tasks: who asked for a stop.
-- Everything here is an addition: workers of the release before this one go on working with it.

ALTER TABLE jobservice.executions ADD COLUMN stop_requested_by text NOT NULL DEFAULT '';
ALTER TABLE jobservice.tasks ADD COLUMN stop_requested_by text NOT NULL DEFAULT '';
