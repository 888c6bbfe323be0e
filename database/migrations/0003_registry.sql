-- This registry: what is where, so exactly that garbage collection can be exact later.
-- A row is written only after its object is durable; foreign keys (RESTRICT) are the net under the
-- locking protocol: links and children are locked by id before a manifest that needs them is written.
CREATE SCHEMA registry;

CREATE TABLE registry.repositories (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES access.projects (id) ON DELETE RESTRICT,
    name       text COLLATE "C" NOT NULL UNIQUE CHECK (name LIKE '%/%'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX repositories_project ON registry.repositories (project_id);

-- digest: one byte for the algorithm (1 sha256, 2 sha512), then the raw hash.
-- storage_key names the object; it is random and never used again, so that a digest pushed anew
-- while its old object is being deleted cannot meet it.
CREATE TABLE registry.blobs (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest      bytea NOT NULL UNIQUE CHECK (octet_length(digest) IN (33, 65)),
    size_bytes  bigint NOT NULL CHECK (size_bytes >= 0),
    storage_key uuid NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL DEFAULT now(),
    touched_at  timestamptz NOT NULL DEFAULT now()
);

-- "This repository may serve this blob", and until when an upload without a manifest is safe.
CREATE TABLE registry.repository_blobs (
    repository_id bigint NOT NULL REFERENCES registry.repositories (id) ON DELETE RESTRICT,
    blob_id       bigint NOT NULL REFERENCES registry.blobs (id) ON DELETE RESTRICT,
    lease_until   timestamptz NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
);
CREATE INDEX repository_blobs_blob ON registry.repository_blobs (blob_id);

CREATE TABLE registry.manifests (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository_id     bigint NOT NULL REFERENCES registry.repositories (id) ON DELETE RESTRICT,
    digest            bytea NOT NULL CHECK (octet_length(digest) IN (33, 65)),
    media_type        text NOT NULL CHECK (media_type <> ''),
    artifact_type     text,
    config_media_type text,
    annotations       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(annotations) = 'object'),
    size_bytes        bigint NOT NULL CHECK (size_bytes = octet_length(payload)),
    payload           bytea NOT NULL,
    subject_digest    bytea CHECK (octet_length(subject_digest) IN (33, 65)),
    pushed_at         timestamptz NOT NULL DEFAULT now(),
    pushed_by         text NOT NULL DEFAULT '',
    last_used_at      timestamptz,
    lease_until       timestamptz NOT NULL,
    held              boolean NOT NULL DEFAULT false,
    UNIQUE (repository_id, digest),
    UNIQUE (repository_id, id)
);
CREATE INDEX manifests_subject ON registry.manifests (repository_id, subject_digest, id)
    WHERE subject_digest IS NOT NULL;

-- The composite keys force "linked in this very repository".
CREATE TABLE registry.manifest_blobs (
    repository_id bigint NOT NULL,
    manifest_id   bigint NOT NULL,
    blob_id       bigint NOT NULL,
    role          text NOT NULL CHECK (role IN ('config', 'layer', 'entry')),
    PRIMARY KEY (manifest_id, blob_id),
    FOREIGN KEY (repository_id, manifest_id)
        REFERENCES registry.manifests (repository_id, id) ON DELETE CASCADE,
    FOREIGN KEY (repository_id, blob_id)
        REFERENCES registry.repository_blobs (repository_id, blob_id) ON DELETE RESTRICT
);
CREATE INDEX manifest_blobs_blob ON registry.manifest_blobs (repository_id, blob_id);

-- child_id is null for a child that a sparse index names and this repository does not hold.
CREATE TABLE registry.manifest_children (
    repository_id bigint NOT NULL,
    parent_id     bigint NOT NULL,
    child_digest  bytea NOT NULL CHECK (octet_length(child_digest) IN (33, 65)),
    child_id      bigint,
    platform      text,
    PRIMARY KEY (parent_id, child_digest),
    CHECK (parent_id <> child_id),
    FOREIGN KEY (repository_id, parent_id)
        REFERENCES registry.manifests (repository_id, id) ON DELETE CASCADE,
    FOREIGN KEY (repository_id, child_id)
        REFERENCES registry.manifests (repository_id, id) ON DELETE RESTRICT
);
CREATE INDEX manifest_children_child ON registry.manifest_children (repository_id, child_id);

CREATE TABLE registry.tags (
    repository_id bigint NOT NULL REFERENCES registry.repositories (id) ON DELETE RESTRICT,
    name          text COLLATE "C" NOT NULL CHECK (name ~ '^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$'),
    manifest_id   bigint NOT NULL,
    pushed_at     timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz,
    immutable     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, manifest_id)
        REFERENCES registry.manifests (repository_id, id) ON DELETE RESTRICT
);
CREATE INDEX tags_manifest ON registry.tags (repository_id, manifest_id);

-- Written before the first byte: whatever a crash leaves behind is named here.
CREATE TABLE registry.uploads (
    id            uuid PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES registry.repositories (id) ON DELETE RESTRICT,
    storage_key   uuid NOT NULL UNIQUE,
    offset_bytes  bigint NOT NULL DEFAULT 0 CHECK (offset_bytes >= 0),
    algorithm     text NOT NULL DEFAULT 'sha256' CHECK (algorithm IN ('sha256', 'sha512')),
    hash_state    bytea,
    s3_upload_id  text,
    parts         jsonb NOT NULL DEFAULT '[]',
    tail          bytea,
    busy_token    uuid,
    busy_until    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL,
    CHECK ((busy_token IS NULL) = (busy_until IS NULL))
);
CREATE INDEX uploads_expiry ON registry.uploads (expires_at);
CREATE INDEX uploads_repository ON registry.uploads (repository_id);

-- Objects that no row needs any more; a sweep deletes them, and a crash repeats it.
CREATE TABLE registry.tombstones (
    storage_key  uuid PRIMARY KEY,
    size_bytes   bigint NOT NULL DEFAULT 0,
    reason       text NOT NULL CHECK (reason IN ('duplicate', 'expired', 'cancelled', 'collected')),
    delete_after timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tombstones_due ON registry.tombstones (delete_after);

-- A replication or a scan keeps a manifest through its work; a hold has no end.
CREATE TABLE registry.pins (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    manifest_id bigint NOT NULL REFERENCES registry.manifests (id) ON DELETE RESTRICT,
    owner       text NOT NULL CHECK (owner <> ''),
    expires_at  timestamptz,
    UNIQUE (manifest_id, owner)
);

CREATE TABLE registry.outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event      jsonb NOT NULL CHECK (jsonb_typeof(event) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE registry.gc_delays (
    reason text PRIMARY KEY,
    delay  interval NOT NULL CHECK (delay >= interval '0')
);
INSERT INTO registry.gc_delays (reason, delay) VALUES
    ('untagged', '1 day'), ('pushed', '1 day'), ('subject_deleted', '1 day'),
    ('parent_deleted', '1 day'), ('manifest_deleted', '1 day'), ('uploaded', '1 day'),
    ('unlinked', '1 hour');

-- What may have become garbage: m manifest (object_id), l link (repository_id, object_id), b blob.
CREATE TABLE registry.gc_queue (
    kind          "char" NOT NULL CHECK (kind IN ('m', 'l', 'b')),
    repository_id bigint NOT NULL DEFAULT 0,
    object_id     bigint NOT NULL,
    reason        text NOT NULL,
    review_after  timestamptz NOT NULL,
    attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    PRIMARY KEY (kind, repository_id, object_id)
);
CREATE INDEX gc_queue_due ON registry.gc_queue (kind, review_after);

CREATE FUNCTION registry.review_after(the_reason text) RETURNS timestamptz
LANGUAGE sql STABLE AS $$ SELECT now() + delay FROM registry.gc_delays WHERE reason = the_reason $$;

-- Rows go into the queue ordered by key, so that two statements cannot deadlock on it.
CREATE FUNCTION registry.queue_old_tag_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.manifest_id, 'untagged', registry.review_after('untagged')
    FROM old_rows ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER tags_deleted AFTER DELETE ON registry.tags
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_old_tag_targets();

CREATE FUNCTION registry.queue_moved_tag_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.manifest_id, 'untagged', registry.review_after('untagged')
    FROM old_rows JOIN new_rows USING (repository_id, name)
    WHERE old_rows.manifest_id <> new_rows.manifest_id ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER tags_moved AFTER UPDATE ON registry.tags
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_moved_tag_targets();

CREATE FUNCTION registry.queue_new_manifests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT 'm'::"char", new_rows.id, 'pushed', registry.review_after('pushed')
    FROM new_rows ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER manifests_pushed AFTER INSERT ON registry.manifests
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_new_manifests();

CREATE FUNCTION registry.queue_orphaned_referrers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", referrer.id, 'subject_deleted',
           registry.review_after('subject_deleted')
    FROM old_rows JOIN registry.manifests referrer
      ON referrer.repository_id = old_rows.repository_id
     AND referrer.subject_digest = old_rows.digest
    ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER manifests_deleted AFTER DELETE ON registry.manifests
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_orphaned_referrers();

CREATE FUNCTION registry.queue_children_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.child_id, 'parent_deleted',
           registry.review_after('parent_deleted')
    FROM old_rows WHERE old_rows.child_id IS NOT NULL ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER manifest_children_deleted AFTER DELETE ON registry.manifest_children
    REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_children_left();

CREATE FUNCTION registry.queue_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, repository_id, object_id, reason, review_after)
    SELECT DISTINCT 'l'::"char", changed.repository_id, changed.blob_id, tg_argv[0],
           registry.review_after(tg_argv[0])
    FROM changed ORDER BY 2, 3
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER manifest_blobs_deleted AFTER DELETE ON registry.manifest_blobs
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_links('manifest_deleted');
CREATE TRIGGER repository_blobs_linked AFTER INSERT ON registry.repository_blobs
    REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_links('uploaded');

CREATE FUNCTION registry.queue_blobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'b'::"char", changed.blob_id, 'unlinked', registry.review_after('unlinked')
    FROM changed ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER repository_blobs_unlinked AFTER DELETE ON registry.repository_blobs
    REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_blobs();

CREATE FUNCTION registry.queue_new_blobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT 'b'::"char", new_rows.id, 'uploaded', registry.review_after('uploaded')
    FROM new_rows ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id)
    DO UPDATE SET reason = excluded.reason, review_after = excluded.review_after, attempts = 0;
    RETURN NULL;
END $$;
CREATE TRIGGER blobs_uploaded AFTER INSERT ON registry.blobs
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION registry.queue_new_blobs();
