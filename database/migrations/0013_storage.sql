-- Storage drivers. `partial_state` is the driver's own: with it any node goes on with an upload. The
-- columns it takes the place of (s3_upload_id, parts, tail) were never written and go a release later.
ALTER TABLE registry.uploads ADD COLUMN partial_state bytea;

-- Set for what another registry wrote into the same bucket and we read where it lies.
ALTER TABLE registry.blobs ADD COLUMN adopted_path text;
ALTER TABLE registry.tombstones ADD COLUMN adopted_path text;

-- What all processes must obey within seconds; a missing row is off.
CREATE TABLE registry.switches (
    name       text PRIMARY KEY CHECK (name IN ('read_only')),
    is_on      boolean NOT NULL,
    changed_by text NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL DEFAULT now()
);
