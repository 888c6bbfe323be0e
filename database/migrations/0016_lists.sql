-- Lists of tasks in the order of time, and by worker; lists of fire times that go on from a row.
-- Workers of the release before this one go on working with it.

-- An execution's tasks are looked for status by status, in each order that lists have; so nothing needs them
-- by id alone any more. What has not ended is in no order of ends, and what no worker had is nobody's.
CREATE INDEX tasks_by_start ON jobservice.tasks
    (execution_id, status, coalesce(started_at, created_at), id);
CREATE INDEX tasks_by_end ON jobservice.tasks (execution_id, status, ended_at, id)
    WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_by_worker ON jobservice.tasks (worker_id, status, id) WHERE worker_id IS NOT NULL;
DROP INDEX jobservice.tasks_by_execution;

ALTER TABLE jobservice.schedule_fires ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY UNIQUE;
