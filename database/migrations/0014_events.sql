-- What happens to this registry's content: told to hooks, followed by event-based policies, counted.
-- Everything here is an addition: processes of the release before this one go on working with it.

-- A row is written with what happened, in one transaction, and deleted with what comes of it, in another.
-- `event` holds what may have changed, or be gone, when the row is read.
ALTER TABLE registry.outbox
    ADD COLUMN event_id   uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Could not be handed on: tried again then, so that it holds up nothing behind it.
    ADD COLUMN not_before timestamptz;

CREATE FUNCTION registry.digest_text(digest bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE get_byte(digest, 0) WHEN 1 THEN 'sha256:' WHEN 2 THEN 'sha512:' END
           || encode(substr(digest, 2), 'hex')
$$;

-- Pulls are GETs of a manifest by a client; `last_used_at` also moves on HEAD. Both are merged in batches.
ALTER TABLE registry.repositories
    ADD COLUMN pull_count bigint NOT NULL DEFAULT 0 CHECK (pull_count >= 0),
    ADD COLUMN pulled_at  timestamptz;
ALTER TABLE registry.manifests
    ADD COLUMN pull_count bigint NOT NULL DEFAULT 0 CHECK (pull_count >= 0),
    ADD COLUMN pulled_at  timestamptz;
ALTER TABLE registry.tags
    ADD COLUMN pull_count bigint NOT NULL DEFAULT 0 CHECK (pull_count >= 0),
    ADD COLUMN pulled_at  timestamptz;

-- Distribution's notification envelope is a format of messages to programs.
ALTER TABLE jobservice.hook_targets DROP CONSTRAINT hook_targets_format_check;
ALTER TABLE jobservice.hook_targets ADD CONSTRAINT hook_targets_format_check
    CHECK (format IN ('Default', 'CloudEvents', 'Distribution'));

-- What an event-based policy is to take up, for a moment: one row for each thing, however often it changes
-- meanwhile, and its last change counts. `reference` is a tag, or a digest for what is meant without one.
CREATE TABLE jobservice.changes (
    policy_id  bigint NOT NULL REFERENCES jobservice.policies (id) ON DELETE CASCADE,
    repository text NOT NULL CHECK (repository <> ''),
    reference  text NOT NULL CHECK (reference <> ''),
    digest     text NOT NULL CHECK (digest <> ''),
    is_gone    boolean NOT NULL,
    first_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (policy_id, repository, reference)
);
