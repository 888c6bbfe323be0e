"""Where the configs of images are, and what was read of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from database.pool import Connection
from protocol import media_types
from protocol.digest import Digest
from registry.metadata import digests
from registry.stored_object import StoredObject

IMAGES: Final = sorted(media_types.IMAGE_CONFIGS)

UNREAD = """
SELECT m.id, b.digest, b.size_bytes, b.storage_key, b.adopted_path
FROM registry.repositories r JOIN registry.manifests m ON m.repository_id = r.id
JOIN registry.manifest_blobs e ON e.manifest_id = m.id AND e.role = 'config'
JOIN registry.blobs b ON b.id = e.blob_id
WHERE r.name = $1 AND m.id > $2 AND m.config_facts IS NULL AND m.config_media_type = ANY($3)
  AND b.lost_at IS NULL
ORDER BY m.id LIMIT $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """The config of a manifest that nobody has read yet."""

    manifest_id: int
    digest: Digest
    size_bytes: int
    stored: StoredObject


async def unread(
    connection: Connection, repository: str, *, after: int, limit: int
) -> Sequence[Unread]:
    """Return configs of a repository's images, by the ids of these."""
    rows = await connection.fetch(UNREAD, repository, after, IMAGES, limit)
    return [
        Unread(
            manifest_id=row["id"],
            digest=digests.decode(row["digest"]),
            size_bytes=row["size_bytes"],
            stored=StoredObject(row["storage_key"], row["adopted_path"]),
        )
        for row in rows
    ]


WRITE = """
UPDATE registry.manifests m SET config_facts = new.facts::jsonb
FROM (
    SELECT id FROM registry.manifests WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE
) AS locked
JOIN unnest($1::bigint[], $2::text[]) AS new (id, facts) ON new.id = locked.id
WHERE m.id = locked.id
"""


async def write(connection: Connection, facts: Mapping[int, Mapping[str, Any]]) -> None:
    """Keep what configs say of manifests, by their ids; those that are gone are left out."""
    await connection.execute(WRITE, list(facts), [json.dumps(one) for one in facts.values()])
