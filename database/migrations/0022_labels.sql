-- Labels: words that people put on artifacts. Processes of the release before know nothing of them, and what
-- they delete is remembered all the same.

-- Foreign keys lock what they refer to; projects come before manifests in every transaction.
LOCK TABLE access.projects, registry.manifests IN SHARE ROW EXCLUSIVE MODE;

-- Without a project it is everybody's.
CREATE TABLE registry.labels (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint REFERENCES access.projects (id) ON DELETE CASCADE,
    name        text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    description text NOT NULL DEFAULT '',
    color       text NOT NULL DEFAULT '' CHECK (length(color) <= 16),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX labels_once ON registry.labels (coalesce(project_id, 0), name);
CREATE INDEX labels_project ON registry.labels (project_id) WHERE project_id IS NOT NULL;

-- By digest, which a manifest that is put back has again.
CREATE TABLE registry.manifest_labels (
    repository_id bigint NOT NULL,
    digest        bytea NOT NULL,
    label_id      bigint NOT NULL REFERENCES registry.labels (id) ON DELETE CASCADE,
    PRIMARY KEY (repository_id, digest, label_id),
    FOREIGN KEY (repository_id, digest)
        REFERENCES registry.manifests (repository_id, digest) ON DELETE CASCADE
);
CREATE INDEX manifest_labels_label ON registry.manifest_labels (label_id);

-- What a manifest had when it went, at the same moment. No foreign keys: all of it may go, too.
CREATE TABLE registry.deleted_labels (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    repository   text COLLATE "C" NOT NULL,
    digest       bytea NOT NULL,
    label_id     bigint NOT NULL,
    deleted_at   timestamptz NOT NULL DEFAULT now(),
    forget_after timestamptz NOT NULL DEFAULT registry.end_of_window()
);
CREATE INDEX deleted_labels_digest ON registry.deleted_labels (repository, digest, deleted_at);
CREATE INDEX deleted_labels_over ON registry.deleted_labels (forget_after);

-- A label that is taken off a manifest that stays was meant.
CREATE FUNCTION registry.remember_label() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry.deleted_labels (repository, digest, label_id)
    SELECT r.name, OLD.digest, OLD.label_id FROM registry.repositories r
    WHERE r.id = OLD.repository_id AND NOT EXISTS (
        SELECT FROM registry.manifests m
        WHERE m.repository_id = OLD.repository_id AND m.digest = OLD.digest
    );
    RETURN NULL;
END $$;
CREATE TRIGGER labels_remembered AFTER DELETE ON registry.manifest_labels
    FOR EACH ROW EXECUTE FUNCTION registry.remember_label();
