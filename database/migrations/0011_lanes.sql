-- A lane: the pending tasks of one job type in one queue of one zone. Whose turn it is in a lane is found
-- without looking at any other, however many tasks wait elsewhere. In place of tasks_pending, which knew
-- executions first and could not skip those that have nothing in a lane.
CREATE INDEX tasks_in_lane
    ON jobservice.tasks (queue, coalesce(zone, ''), job_type, execution_id, priority DESC, id)
    WHERE status = 'pending';
DROP INDEX jobservice.tasks_pending;

-- Few tasks end like this, and they are what operators look for.
CREATE INDEX tasks_failed ON jobservice.tasks (execution_id, id) WHERE status = 'failed';
CREATE INDEX tasks_stopped ON jobservice.tasks (execution_id, id) WHERE status = 'stopped';
