"""What is still kept of what was deleted; it is looked at, and nothing is locked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection

from database.pool import Connection
from protocol.content import RawManifest
from protocol.digest import Digest
from registry.metadata import deleted, digests

HERE = """
SELECT m.digest FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
WHERE r.name = $1 AND m.digest = ANY($2)
"""


async def here(
    connection: Connection, repository: str, wanted: Collection[Digest]
) -> frozenset[Digest]:
    """Return those of the manifests that the repository has."""
    rows = await connection.fetch(HERE, repository, [digests.encode(one) for one in wanted])
    return frozenset(digests.decode(row["digest"]) for row in rows)


# One manifest may be 4 MiB.
AT_ONCE = 4
MANIFESTS = f"""
SELECT DISTINCT ON (digest) digest, media_type, payload FROM registry.deleted_manifests
WHERE repository = $1 AND digest = ANY($2) AND forget_after > now()
  AND {deleted.OF_THE_SAME_PROJECT}
ORDER BY digest, id DESC
"""  # noqa: S608 constants only


async def manifests(
    connection: Connection, repository: str, wanted: Collection[Digest]
) -> AsyncGenerator[RawManifest, None]:
    """Yield those of the manifests that were deleted and are remembered, in a transaction."""
    stored = [digests.encode(one) for one in wanted]
    async for row in connection.cursor(MANIFESTS, repository, stored, prefetch=AT_ONCE):
        digest = digests.decode(row["digest"])
        yield RawManifest(media_type=row["media_type"], digest=digest, body=row["payload"])


BLOBS = f"""
SELECT digest FROM registry.blobs WHERE digest = ANY($1) AND lost_at IS NULL
UNION SELECT digest {deleted.TOMBSTONES}
"""  # noqa: S608 constants only


async def blobs(connection: Connection, wanted: Collection[Digest]) -> frozenset[Digest]:
    """Return those of the blobs that are here, or whose objects are not released yet."""
    rows = await connection.fetch(BLOBS, [digests.encode(one) for one in wanted])
    return frozenset(digests.decode(row["digest"]) for row in rows)
