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
CREATE INDEX audit_log_by_event ON access.audit_log (resource_type, operation, id);
CREATE INDEX audit_log_by_operation ON access.audit_log (operation, id);
CREATE INDEX audit_log_by_resource ON access.audit_log (resource, id);
CREATE INDEX audit_log_failures ON access.audit_log (id) WHERE NOT successful;
