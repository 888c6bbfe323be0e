-- Executions, tasks and what is told about them; workers and their leader.
-- Generic: nothing here knows what replication is.

-- One run of a policy. `status` and `ended_at` follow from the counters: a trigger writes them and
-- nobody else does.
CREATE TABLE jobservice.executions (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vendor_type       text NOT NULL CHECK (vendor_type <> ''),
    policy_id         bigint REFERENCES jobservice.policies (id) ON DELETE CASCADE,
    trigger           text NOT NULL CHECK (trigger IN ('manual', 'scheduled', 'event_based')),
    policy_snapshot   jsonb NOT NULL CHECK (jsonb_typeof(policy_snapshot) = 'object'),
    single_active     boolean NOT NULL DEFAULT false,
    project_id        bigint REFERENCES access.projects (id) ON DELETE SET NULL,
    zone              text CHECK (zone <> ''),
    priority          smallint NOT NULL DEFAULT 0,
    started_by        text NOT NULL DEFAULT '',
    status            text NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'stopped')),
    status_text       text NOT NULL DEFAULT '',
    -- How the plan ended; NULL while it may still add tasks.
    plan_status       text CHECK (plan_status IN ('succeeded', 'failed', 'stopped')),
    total             integer NOT NULL DEFAULT 0 CHECK (total >= 0),
    succeeded         integer NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
    failed            integer NOT NULL DEFAULT 0 CHECK (failed >= 0),
    stopped           integer NOT NULL DEFAULT 0 CHECK (stopped >= 0),
    -- Succeeded tasks that found nothing to do; what the plan left out is in jobservice.outcomes.
    unchanged         integer NOT NULL DEFAULT 0 CHECK (unchanged >= 0),
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    ended_at          timestamptz,
    stop_requested_at timestamptz,
    CONSTRAINT executions_settled_within_total CHECK (succeeded + failed + stopped <= total),
    CONSTRAINT executions_ended_when_final
        CHECK ((status IN ('succeeded', 'failed', 'stopped')) = (ended_at IS NOT NULL))
) WITH (fillfactor = 70);

CREATE FUNCTION jobservice.roll_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
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

CREATE TRIGGER executions_roll_up BEFORE INSERT OR UPDATE ON jobservice.executions
    FOR EACH ROW EXECUTE FUNCTION jobservice.roll_up();

CREATE UNIQUE INDEX executions_single_active ON jobservice.executions (policy_id)
    WHERE single_active AND ended_at IS NULL;
CREATE INDEX executions_by_policy ON jobservice.executions (policy_id, id);
CREATE INDEX executions_unfinished ON jobservice.executions (priority DESC, id)
    WHERE ended_at IS NULL;

-- One unit of work. `delivery` rises at every dispatch, `fence` at every claim, `attempt` (the
-- number of the current try) only when the job itself failed.
CREATE TABLE jobservice.tasks (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id      bigint NOT NULL REFERENCES jobservice.executions (id) ON DELETE CASCADE,
    job_type          text NOT NULL CHECK (job_type <> ''),
    is_plan           boolean NOT NULL DEFAULT false,
    queue             text NOT NULL CHECK (queue ~ '^[a-z_]+$'),
    zone              text CHECK (zone <> ''),
    priority          smallint NOT NULL DEFAULT 0,
    -- Place among its siblings: the page of the listing it came from and where on that page.
    page              integer NOT NULL DEFAULT 0,
    ordinal           integer NOT NULL DEFAULT 0,
    parameters        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(parameters) = 'object'),
    status            text NOT NULL DEFAULT 'pending'
                      CHECK (status IN ('pending', 'queued', 'running', 'retrying',
                                        'succeeded', 'failed', 'stopped')),
    delivery          integer NOT NULL DEFAULT 0 CHECK (delivery >= 0),
    attempt           integer NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    rescues           smallint NOT NULL DEFAULT 0 CHECK (rescues BETWEEN 0 AND 10),
    fence             bigint NOT NULL DEFAULT 0 CHECK (fence >= 0),
    worker_id         bigint,
    lease_until       timestamptz,
    not_before        timestamptz,
    dispatched_at     timestamptz,
    stop_requested_at timestamptz,
    -- How far a task that works in pages has come; a rescued one goes on from here.
    checkpoint        jsonb,
    error             jsonb,
    result            jsonb,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    ended_at          timestamptz,
    CONSTRAINT tasks_planned_once UNIQUE (execution_id, page, ordinal),
    CONSTRAINT tasks_running_has_lease
        CHECK ((status = 'running') = (lease_until IS NOT NULL)
               AND (status <> 'running' OR worker_id IS NOT NULL)),
    CONSTRAINT tasks_queued_was_dispatched CHECK (status <> 'queued' OR dispatched_at IS NOT NULL),
    CONSTRAINT tasks_retrying_waits CHECK (status <> 'retrying' OR not_before IS NOT NULL),
    CONSTRAINT tasks_ended_when_final
        CHECK ((status IN ('succeeded', 'failed', 'stopped')) = (ended_at IS NOT NULL)),
    CONSTRAINT tasks_failed_says_why CHECK (status <> 'failed' OR error IS NOT NULL)
) WITH (fillfactor = 70);

CREATE INDEX tasks_pending ON jobservice.tasks (execution_id, queue, zone, priority DESC, id)
    WHERE status = 'pending';
CREATE INDEX tasks_queued ON jobservice.tasks (dispatched_at) WHERE status = 'queued';
CREATE INDEX tasks_running ON jobservice.tasks (worker_id) WHERE status = 'running';
CREATE INDEX tasks_retrying ON jobservice.tasks (not_before) WHERE status = 'retrying';
CREATE INDEX tasks_by_execution ON jobservice.tasks (execution_id, id);

-- The same table as jobservice/domain/task.py; a test compares them.
CREATE FUNCTION jobservice.may_become(was text, becomes text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE was
        WHEN 'pending' THEN becomes IN ('queued', 'stopped')
        WHEN 'queued' THEN becomes IN ('running', 'pending', 'stopped')
        WHEN 'running' THEN becomes IN ('succeeded', 'failed', 'stopped', 'retrying', 'pending')
        WHEN 'retrying' THEN becomes IN ('pending', 'stopped')
        ELSE false END
$$;

CREATE FUNCTION jobservice.refuse_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'task % may not go from % to %', OLD.id, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = 'tasks_transition';
END $$;

CREATE TRIGGER tasks_transition BEFORE UPDATE OF status ON jobservice.tasks
    FOR EACH ROW
    WHEN (OLD.status <> NEW.status AND NOT jobservice.may_become(OLD.status, NEW.status))
    EXECUTE FUNCTION jobservice.refuse_transition();

-- What a running task has done so far; one row per running task, written once a second per worker.
CREATE TABLE jobservice.task_progress (
    task_id     bigint PRIMARY KEY REFERENCES jobservice.tasks (id) ON DELETE CASCADE,
    fence       bigint NOT NULL,
    bytes_done  bigint NOT NULL DEFAULT 0 CHECK (bytes_done >= 0),
    bytes_total bigint CHECK (bytes_total >= 0),
    items_done  integer NOT NULL DEFAULT 0 CHECK (items_done >= 0),
    items_total integer CHECK (items_total >= 0),
    updated_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

-- The log of a task in the order of its claims; a claim's text is capped by the worker.
CREATE TABLE jobservice.task_log_chunks (
    task_id    bigint NOT NULL REFERENCES jobservice.tasks (id) ON DELETE CASCADE,
    fence      bigint NOT NULL,
    sequence   integer NOT NULL,
    text       text NOT NULL CHECK (octet_length(text) <= 262144),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (task_id, fence, sequence)
);

-- What an execution left out and why: exact counts, and the first thousand examples of each reason.
CREATE TABLE jobservice.outcomes (
    execution_id bigint NOT NULL REFERENCES jobservice.executions (id) ON DELETE CASCADE,
    reason       text NOT NULL CHECK (reason <> ''),
    count        bigint NOT NULL CHECK (count > 0),
    PRIMARY KEY (execution_id, reason)
);

CREATE TABLE jobservice.outcome_examples (
    execution_id bigint NOT NULL,
    reason       text NOT NULL,
    ordinal      integer NOT NULL CHECK (ordinal BETWEEN 1 AND 1000),
    subject      text NOT NULL,
    detail       text NOT NULL DEFAULT '',
    PRIMARY KEY (execution_id, reason, ordinal),
    FOREIGN KEY (execution_id, reason)
        REFERENCES jobservice.outcomes (execution_id, reason) ON DELETE CASCADE
);

CREATE TABLE jobservice.workers (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host         text NOT NULL,
    pid          integer NOT NULL,
    version      text NOT NULL,
    zone         text CHECK (zone <> ''),
    job_types    text[] NOT NULL,
    slots        jsonb NOT NULL CHECK (jsonb_typeof(slots) = 'object'),
    started_at   timestamptz NOT NULL DEFAULT now(),
    heartbeat_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);

-- One row per role; who holds it is the only one to act, and every write of it compares the fence.
CREATE TABLE jobservice.leader (
    role        text PRIMARY KEY,
    worker_id   bigint NOT NULL,
    fence       bigint NOT NULL,
    lease_until timestamptz NOT NULL
);
