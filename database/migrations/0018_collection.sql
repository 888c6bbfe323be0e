-- How garbage goes (docs/decisions/0008). Everything here is an addition or works for processes of the
-- release before this one: they delete manifests and tags without a word, so triggers remember what went.

-- In the order of processes at work: pushes and deletions come to the queue last, through triggers, deletions to tags
-- before manifests.
LOCK TABLE registry.tags, registry.manifests IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE registry.tombstones, registry.gc_queue IN ACCESS EXCLUSIVE MODE;

-- `queued_at` is when the reason came up: what was used since is no garbage.
ALTER TABLE registry.gc_queue ADD COLUMN queued_at timestamptz NOT NULL DEFAULT now();

-- `window` is how long bytes and deleted rows stay; all others are how long a review waits.
UPDATE registry.gc_delays SET delay = interval '10 minutes';
INSERT INTO registry.gc_delays (reason, delay) VALUES ('window', interval '7 days');

CREATE FUNCTION registry.end_of_window() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT now() + delay FROM registry.gc_delays WHERE reason = 'window'
$$;

-- `digest` is set where the object can become a blob again, until it is released: then its bytes go.
-- `delete_after` is also when a deletion that failed, with `error`, is tried again.
ALTER TABLE registry.tombstones
    ADD COLUMN digest      bytea CHECK (octet_length(digest) IN (33, 65)),
    ADD COLUMN deleted_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN released_at timestamptz,
    ADD COLUMN attempts    integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    ADD COLUMN error       text;
CREATE INDEX tombstones_digest ON registry.tombstones (digest) WHERE digest IS NOT NULL;

-- What manifests and tags were when they went. No foreign keys: repository and project may go, too.
CREATE TABLE registry.deleted_manifests (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id     bigint NOT NULL,
    repository_id  bigint NOT NULL,
    repository     text COLLATE "C" NOT NULL,
    digest         bytea NOT NULL CHECK (octet_length(digest) IN (33, 65)),
    media_type     text NOT NULL,
    artifact_type  text,
    size_bytes     bigint NOT NULL,
    payload        bytea NOT NULL,
    subject_digest bytea,
    pushed_at      timestamptz NOT NULL,
    pushed_by      text NOT NULL,
    last_used_at   timestamptz,
    pulled_at      timestamptz,
    pull_count     bigint NOT NULL,
    tags           text[] NOT NULL,
    deleted_at     timestamptz NOT NULL DEFAULT now(),
    deleted_by     text NOT NULL,
    reason         text NOT NULL CHECK (reason <> ''),
    forget_after   timestamptz NOT NULL DEFAULT registry.end_of_window()
);
CREATE INDEX deleted_manifests_digest ON registry.deleted_manifests (repository, digest, id);
CREATE INDEX deleted_manifests_subject ON registry.deleted_manifests (repository, subject_digest)
    WHERE subject_digest IS NOT NULL;
CREATE INDEX deleted_manifests_over ON registry.deleted_manifests (forget_after);

CREATE TABLE registry.deleted_tags (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id    bigint NOT NULL,
    repository_id bigint NOT NULL,
    repository    text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    digest        bytea NOT NULL CHECK (octet_length(digest) IN (33, 65)),
    pushed_at     timestamptz NOT NULL,
    last_used_at  timestamptz,
    pulled_at     timestamptz,
    pull_count    bigint NOT NULL,
    deleted_at    timestamptz NOT NULL DEFAULT now(),
    deleted_by    text NOT NULL,
    reason        text NOT NULL CHECK (reason <> ''),
    forget_after  timestamptz NOT NULL DEFAULT registry.end_of_window()
);
CREATE INDEX deleted_tags_name ON registry.deleted_tags (repository, name, id);
CREATE INDEX deleted_tags_digest ON registry.deleted_tags (repository, digest, deleted_at);
CREATE INDEX deleted_tags_over ON registry.deleted_tags (forget_after);

-- Who deletes, and why, is what the transaction says of itself; nothing, in the release before this one.
CREATE FUNCTION registry.deleting(what text, otherwise text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('transship.' || what, true), ''), otherwise)
$$;

CREATE FUNCTION registry.remember_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.deleted_tags (project_id, repository_id, repository, name, digest, pushed_at,
        last_used_at, pulled_at, pull_count, deleted_by, reason)
    SELECT r.project_id, r.id, r.name, gone.name, m.digest, gone.pushed_at, gone.last_used_at,
           gone.pulled_at, gone.pull_count, registry.deleting('deleted_by', ''),
           registry.deleting('deletion_reason', 'deleted')
    FROM old_rows AS gone JOIN registry.repositories r ON r.id = gone.repository_id
    JOIN registry.manifests m ON m.id = gone.manifest_id;
    RETURN NULL;
END $$;
CREATE TRIGGER tags_remembered AFTER DELETE ON registry.tags
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.remember_tags();

-- Its tags went just before it, in the same transaction.
CREATE FUNCTION registry.remember_manifests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.deleted_manifests (project_id, repository_id, repository, digest, media_type,
        artifact_type, size_bytes, payload, subject_digest, pushed_at, pushed_by, last_used_at, pulled_at,
        pull_count, tags, deleted_by, reason)
    SELECT r.project_id, r.id, r.name, gone.digest, gone.media_type, gone.artifact_type, gone.size_bytes,
           gone.payload, gone.subject_digest, gone.pushed_at, gone.pushed_by, gone.last_used_at,
           gone.pulled_at, gone.pull_count,
           ARRAY(SELECT t.name::text FROM registry.deleted_tags t
                 WHERE t.repository = r.name AND t.digest = gone.digest AND t.deleted_at = now()
                 ORDER BY t.name),
           registry.deleting('deleted_by', ''), registry.deleting('deletion_reason', 'deleted')
    FROM old_rows AS gone JOIN registry.repositories r ON r.id = gone.repository_id;
    RETURN NULL;
END $$;
CREATE TRIGGER manifests_remembered AFTER DELETE ON registry.manifests
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.remember_manifests();

-- What a project wants of its registry. `untagged_queued_to` is how far its untagged manifests were put
-- into the queue since the setting changed; null when all are.
CREATE TABLE registry.project_settings (
    project_id         bigint PRIMARY KEY REFERENCES access.projects (id) ON DELETE CASCADE,
    untagged_keep_days integer CHECK (untagged_keep_days BETWEEN 0 AND 36500),
    untagged_queued_to bigint
);
CREATE INDEX project_settings_unqueued ON registry.project_settings (project_id)
    WHERE untagged_queued_to IS NOT NULL;

-- What collection did, ever, for the metrics.
CREATE TABLE registry.collected (
    name  text PRIMARY KEY,
    count bigint NOT NULL DEFAULT 0 CHECK (count >= 0)
);
INSERT INTO registry.collected (name) VALUES
    ('manifests'), ('links'), ('blobs'), ('blob_bytes'), ('objects'), ('object_bytes'), ('failures');

-- The tag that stands in for the referrers API, and the beginning of those that cosign gives signatures.
CREATE FUNCTION registry.companion_tag(digest bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE get_byte(digest, 0) WHEN 1 THEN 'sha256-' WHEN 2 THEN 'sha512-' END
           || left(encode(substr(digest, 2), 'hex'), 64)
$$;
-- What such a tag accompanies: a digest, or for sha512 the first half of one; null for other tags.
CREATE FUNCTION registry.accompanied(tag text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT CASE WHEN tag ~ '^sha(256|512)-[a-f0-9]{64}(\.(sig|att|sbom))?$'
        THEN CASE substr(tag, 4, 3) WHEN '256' THEN '\x01'::bytea ELSE '\x02'::bytea END
             || decode(substr(tag, 8, 64), 'hex') END
$$;

-- The queue's triggers as they were, with `queued_at`, and with what accompanies a subject by its tag.
CREATE OR REPLACE FUNCTION registry.queue_old_tag_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.manifest_id, 'untagged', registry.review_after('untagged')
    FROM old_rows ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_moved_tag_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.manifest_id, 'untagged', registry.review_after('untagged')
    FROM old_rows JOIN new_rows USING (repository_id, name)
    WHERE old_rows.manifest_id <> new_rows.manifest_id ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_new_manifests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT 'm'::"char", new_rows.id, 'pushed', registry.review_after('pushed')
    FROM new_rows ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_orphaned_referrers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT 'm'::"char", orphan.id, 'subject_deleted', registry.review_after('subject_deleted')
    FROM (
        SELECT referrer.id FROM old_rows JOIN registry.manifests referrer
          ON referrer.repository_id = old_rows.repository_id
         AND referrer.subject_digest = old_rows.digest
        UNION
        SELECT tag.manifest_id FROM old_rows
        CROSS JOIN unnest(ARRAY['', '.sig', '.att', '.sbom']) AS suffix
        JOIN registry.tags tag ON tag.repository_id = old_rows.repository_id
         AND tag.name = registry.companion_tag(old_rows.digest) || suffix
    ) AS orphan ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_children_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.child_id, 'parent_deleted',
           registry.review_after('parent_deleted')
    FROM old_rows WHERE old_rows.child_id IS NOT NULL ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, repository_id, object_id, reason, review_after)
    SELECT DISTINCT 'l'::"char", changed.repository_id, changed.blob_id, tg_argv[0],
           registry.review_after(tg_argv[0])
    FROM changed ORDER BY 2, 3
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_blobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'b'::"char", changed.blob_id, 'unlinked', registry.review_after('unlinked')
    FROM changed ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;
