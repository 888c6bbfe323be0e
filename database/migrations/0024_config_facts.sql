-- What an image's config says of it, for rules of retention: its labels and its platform, or why it cannot be
-- read. Null until somebody asked.
ALTER TABLE registry.manifests ADD COLUMN config_facts jsonb;
