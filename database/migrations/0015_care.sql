-- The care of this registry: storages of other registries that it adopted, and backups under way.

-- Another registry's storage, by folder or bucket. Until `committed_at` its bytes are its own: what is
-- deleted here stays there. From then on they are ours to delete.
CREATE TABLE registry.adopted_storages (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    location     text NOT NULL UNIQUE CHECK (location <> ''),
    created_at   timestamptz NOT NULL DEFAULT now(),
    committed_at timestamptz
);

-- What was taken from it, by digest. A blob's row is written before its object, so that whatever a
-- crash leaves behind is named; storage_key is null for manifests, whose bytes are in this database.
CREATE TABLE registry.adoptions (
    storage_id  bigint NOT NULL REFERENCES registry.adopted_storages (id) ON DELETE RESTRICT,
    digest      bytea NOT NULL CHECK (octet_length(digest) IN (33, 65)),
    size_bytes  bigint NOT NULL CHECK (size_bytes >= 0),
    storage_key uuid,
    adopted_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (storage_id, digest)
);
CREATE INDEX adoptions_storage_key ON registry.adoptions (storage_key);

-- While one of these has its lease, no object is deleted: a backup copies what its snapshot names.
CREATE TABLE registry.backups (
    id          uuid PRIMARY KEY,
    destination text NOT NULL CHECK (destination <> ''),
    started_at  timestamptz NOT NULL DEFAULT now(),
    lease_until timestamptz NOT NULL
);
