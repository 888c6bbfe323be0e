-- The migration runner makes the schema and its own table before this file.

CREATE TABLE database.canary (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE database.canary IS
    'one sealed value: a start with the wrong key fails on it with one sentence';
