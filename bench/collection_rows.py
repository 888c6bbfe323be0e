"""A registry's rows without its objects: a million manifests, each with a tag and five blobs.

Ids are arithmetic, so that nothing is looked up while they are written, and neither triggers nor
foreign keys are asked. Of five blobs two are a manifest's own and three its repository's.
"""
# ruff: noqa: S608 - statements are made of this module's constants

from __future__ import annotations

from typing import Any, Final

from database.pool import connect_once

REPOSITORIES: Final = 10_000
MANIFESTS: Final = 100  # of each repository
SHARED: Final = 10  # blobs of each repository
GARBAGE: Final = 20  # manifests of each repository
ALL_MANIFESTS: Final = REPOSITORIES * MANIFESTS
ALL_GARBAGE: Final = REPOSITORIES * GARBAGE
EDGES: Final = ALL_MANIFESTS * 5
_OWN: Final = ALL_MANIFESTS * 2
_TIMEOUT_SECONDS: Final = 600

# A repository's manifests are numbered on from those of the one before it; `m - 1) / MANIFESTS` is
# the repository, counted from 0.
_OF: Final = f"(m - 1) / {MANIFESTS}"
_FILL: Final = (
    "SET session_replication_role = replica",
    "SET synchronous_commit = off",
    "SET maintenance_work_mem = '512MB'",
    f"""
    INSERT INTO registry.repositories (id, project_id, name) OVERRIDING SYSTEM VALUE
    SELECT r, p.id, 'library/app-' || lpad(r::text, 5, '0')
    FROM access.projects p, generate_series(1, {REPOSITORIES}) AS r WHERE p.name = 'library'
    """,
    f"""
    INSERT INTO registry.manifests
        (id, repository_id, digest, media_type, size_bytes, payload, lease_until, pushed_at)
    OVERRIDING SYSTEM VALUE
    SELECT m, {_OF} + 1, '\\x01'::bytea || sha256(m::text::bytea),
           'application/vnd.oci.image.manifest.v1+json', 600,
           convert_to(rpad(m::text, 600, md5(m::text)), 'UTF8'),
           now() - interval '1 day', now() - interval '1 day'
    FROM generate_series(1, {ALL_MANIFESTS}) AS m
    """,
    # Filled row by row these two take most of the time: nothing is as random as their keys.
    "ALTER TABLE registry.blobs DROP CONSTRAINT blobs_digest_key",
    "ALTER TABLE registry.blobs DROP CONSTRAINT blobs_storage_key_key",
    f"""
    INSERT INTO registry.blobs (id, digest, size_bytes, storage_key) OVERRIDING SYSTEM VALUE
    SELECT b, '\\x01'::bytea || sha256(('b' || b)::bytea), 1000000, gen_random_uuid()
    FROM generate_series(1, {_OWN + REPOSITORIES * SHARED}) AS b
    """,
    "ALTER TABLE registry.blobs ADD UNIQUE (digest), ADD UNIQUE (storage_key)",
    f"""
    INSERT INTO registry.repository_blobs (repository_id, blob_id, lease_until)
    SELECT {_OF} + 1, m * 2 - own, now() - interval '1 day'
    FROM generate_series(1, {ALL_MANIFESTS}) AS m, generate_series(0, 1) AS own
    UNION ALL
    SELECT r, {_OWN} + (r - 1) * {SHARED} + shared, now() - interval '1 day'
    FROM generate_series(1, {REPOSITORIES}) AS r, generate_series(1, {SHARED}) AS shared
    """,
    f"""
    INSERT INTO registry.manifest_blobs (repository_id, manifest_id, blob_id, role)
    SELECT {_OF} + 1, m, CASE WHEN n < 2 THEN m * 2 - n
           ELSE {_OWN} + {_OF} * {SHARED} + (m * 3 + n) % {SHARED} + 1 END,
           CASE n WHEN 0 THEN 'config' ELSE 'layer' END
    FROM generate_series(1, {ALL_MANIFESTS}) AS m, generate_series(0, 4) AS n
    """,
    f"""
    INSERT INTO registry.tags (repository_id, name, manifest_id)
    SELECT {_OF} + 1, 'v' || lpad(m::text, 7, '0'), m
    FROM generate_series(1, {ALL_MANIFESTS}) AS m
    """,
    *(
        f"SELECT setval(pg_get_serial_sequence('registry.{table}', 'id'), max(id)) "
        f"FROM registry.{table}"
        for table in ("repositories", "manifests", "blobs")
    ),
    """
    VACUUM (ANALYZE) registry.repositories, registry.manifests, registry.blobs,
        registry.repository_blobs, registry.manifest_blobs, registry.tags
    """,
    "CHECKPOINT",
)
_UNTAG: Final = f"""
DELETE FROM registry.tags t WHERE (t.manifest_id - 1) % {MANIFESTS} < {GARBAGE}
"""
_COUNTS: Final = """
SELECT (SELECT count(*) FROM registry.manifests) AS manifests,
       (SELECT count(*) FROM registry.manifest_blobs) AS edges,
       (SELECT count(*) FROM registry.repository_blobs) AS links,
       (SELECT count(*) FROM registry.blobs) AS blobs
"""


async def fill(dsn: str) -> None:
    """Write all rows, into a database in which nothing is yet."""
    connection: Any = await connect_once(dsn, application_name="bench")
    try:
        for statement in _FILL:
            await connection.execute(statement, timeout=_TIMEOUT_SECONDS)
    finally:
        await connection.close()


async def untag(dsn: str) -> None:
    """Delete the tags of what is to be garbage, as a retention would."""
    connection: Any = await connect_once(dsn, application_name="bench")
    try:
        await connection.execute(_UNTAG, timeout=_TIMEOUT_SECONDS)
    finally:
        await connection.close()


async def counts(dsn: str) -> dict[str, int]:
    """Count what is there."""
    connection: Any = await connect_once(dsn, application_name="bench")
    try:
        return dict(await connection.fetchrow(_COUNTS))
    finally:
        await connection.close()
