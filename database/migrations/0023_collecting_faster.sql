-- The triggers of collection, as they were but for three things that cost most of a deletion's time:
-- the end of a delay or of the window is asked for once a statement and not once a row; the name of what
-- accompanies a manifest is made once a manifest; and its tags are found by their index at any size, where the
-- planner, which cannot know that hardly any exists, would read all tags of all repositories.

CREATE OR REPLACE FUNCTION registry.remember_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.deleted_tags (project_id, repository_id, repository, name, digest, pushed_at,
        last_used_at, pulled_at, pull_count, deleted_by, reason, forget_after)
    SELECT r.project_id, r.id, r.name, gone.name, m.digest, gone.pushed_at, gone.last_used_at,
           gone.pulled_at, gone.pull_count, registry.deleting('deleted_by', ''),
           registry.deleting('deletion_reason', 'deleted'), (SELECT registry.end_of_window())
    FROM old_rows AS gone JOIN registry.repositories r ON r.id = gone.repository_id
    JOIN registry.manifests m ON m.id = gone.manifest_id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.remember_manifests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.deleted_manifests (project_id, repository_id, repository, digest, media_type,
        artifact_type, size_bytes, payload, subject_digest, pushed_at, pushed_by, last_used_at, pulled_at,
        pull_count, tags, deleted_by, reason, forget_after)
    SELECT r.project_id, r.id, r.name, gone.digest, gone.media_type, gone.artifact_type, gone.size_bytes,
           gone.payload, gone.subject_digest, gone.pushed_at, gone.pushed_by, gone.last_used_at,
           gone.pulled_at, gone.pull_count,
           ARRAY(SELECT t.name::text FROM registry.deleted_tags t
                 WHERE t.repository = r.name AND t.digest = gone.digest AND t.deleted_at = now()
                 ORDER BY t.name),
           registry.deleting('deleted_by', ''), registry.deleting('deletion_reason', 'deleted'),
           (SELECT registry.end_of_window())
    FROM old_rows AS gone JOIN registry.repositories r ON r.id = gone.repository_id;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_old_tag_targets() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.manifest_id, 'untagged',
           (SELECT registry.review_after('untagged'))
    FROM old_rows ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

-- OFFSET 0 keeps the planner from turning a look by index for each manifest into one at everything.
CREATE OR REPLACE FUNCTION registry.queue_orphaned_referrers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT 'm'::"char", orphan.id, 'subject_deleted',
           (SELECT registry.review_after('subject_deleted'))
    FROM (
        SELECT referrer.id FROM old_rows CROSS JOIN LATERAL (
            SELECT id FROM registry.manifests
            WHERE repository_id = old_rows.repository_id AND subject_digest = old_rows.digest
            OFFSET 0
        ) AS referrer
        UNION
        SELECT tag.manifest_id
        FROM (SELECT repository_id, registry.companion_tag(digest) AS name FROM old_rows OFFSET 0)
            AS companion
        CROSS JOIN LATERAL (
            SELECT manifest_id FROM registry.tags
            WHERE repository_id = companion.repository_id
              AND name = ANY(ARRAY[companion.name, companion.name || '.att',
                                   companion.name || '.sbom', companion.name || '.sig'])
            OFFSET 0
        ) AS tag
    ) AS orphan ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_children_left() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'm'::"char", old_rows.child_id, 'parent_deleted',
           (SELECT registry.review_after('parent_deleted'))
    FROM old_rows WHERE old_rows.child_id IS NOT NULL ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_links() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, repository_id, object_id, reason, review_after)
    SELECT DISTINCT 'l'::"char", changed.repository_id, changed.blob_id, tg_argv[0],
           (SELECT registry.review_after(tg_argv[0]))
    FROM changed ORDER BY 2, 3
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION registry.queue_blobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.gc_queue (kind, object_id, reason, review_after)
    SELECT DISTINCT 'b'::"char", changed.blob_id, 'unlinked',
           (SELECT registry.review_after('unlinked'))
    FROM changed ORDER BY 2
    ON CONFLICT (kind, repository_id, object_id) DO UPDATE SET reason = excluded.reason,
        review_after = excluded.review_after, queued_at = excluded.queued_at, attempts = 0;
    RETURN NULL;
END $$;
