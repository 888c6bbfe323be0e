-- Rules that say which tags of a project never lead elsewhere once they are there. They are asked by name,
-- so that no tag has to be touched when they change.
CREATE TABLE registry.immutable_rules (
    id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id            bigint NOT NULL REFERENCES access.projects (id) ON DELETE CASCADE,
    disabled              boolean NOT NULL DEFAULT false,
    -- Harbor's, kept as it was given.
    priority              integer NOT NULL DEFAULT 0,
    repository_decoration text NOT NULL CHECK (repository_decoration IN ('repoMatches', 'repoExcludes')),
    repository_pattern    text NOT NULL,
    tag_decoration        text NOT NULL CHECK (tag_decoration IN ('matches', 'excludes')),
    tag_pattern           text NOT NULL,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now()
);
-- Of each rule one; patterns may be longer than an index entry.
CREATE UNIQUE INDEX immutable_rules_once ON registry.immutable_rules (project_id, repository_decoration,
    tag_decoration, md5(repository_pattern), md5(tag_pattern));
