"""What the tables and the storage say when all is quiet, compared in Python, row by row.

None of the product's queries and conditions is used: rows are read whole, manifests parsed here.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from database.pool import Connection
from protocol.digest import Digest
from registry.errors import ObjectMissing
from registry.storage.driver import Storage
from registry.stored_object import StoredObject

Rows = Sequence[Mapping[str, Any]]
Link = tuple[int, int]
PAGE = 1000
MANIFESTS = """
SELECT m.*, r.name AS repository
FROM registry.manifests m JOIN registry.repositories r ON r.id = m.repository_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Everything that is written down about content."""

    blobs: Rows
    links: Rows
    manifests: Rows
    edges: Rows
    children: Rows
    tags: Rows
    uploads: Rows
    tombstones: Rows
    queue: Rows


async def read(connection: Connection) -> Tables:
    """Read all of it, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await rows(connection)


async def rows(connection: Connection) -> Tables:
    """Read all of it, as the open transaction sees it."""
    tables = {
        "blobs": "blobs",
        "links": "repository_blobs",
        "edges": "manifest_blobs",
        "children": "manifest_children",
        "tags": "tags",
        "uploads": "uploads",
        "tombstones": "tombstones",
        "queue": "gc_queue",
    }
    return Tables(
        manifests=await connection.fetch(MANIFESTS),
        **{
            field: await connection.fetch(f"SELECT * FROM registry.{name}")  # noqa: S608
            for field, name in tables.items()
        },
    )


async def faults(tables: Tables, storage: Storage) -> AsyncIterator[str]:
    """Yield what does not fit together."""
    for fault in _rows(tables):
        yield fault
    async for fault in _objects(tables, storage):
        yield fault


def left(tables: Tables) -> Iterable[str]:
    """Yield what a collection had the time to take, once no lease holds it any more."""
    needed = {_link(row) for row in tables.edges}
    linked = {row["blob_id"] for row in tables.links}
    for row in tables.links:
        if _link(row) not in needed:
            yield f"no manifest needs the link of repository {row['repository_id']} to a blob"
    yield from (f"no link leads to blob {b['id']}" for b in tables.blobs if b["id"] not in linked)
    for name, over in (("upload", tables.uploads), ("tombstone", tables.tombstones)):
        yield from (f"{name} {row['storage_key']} is over, and there" for row in over)
    for row in tables.queue:
        yield f"{row['kind']!r} {row['object_id']} waits to be looked at ({row['reason']})"


def _rows(tables: Tables) -> Iterable[str]:
    """Yield rows that name what is not there, and manifests whose rows say something else."""
    blobs = {row["id"]: row["digest"] for row in tables.blobs}
    links = {_link(row) for row in tables.links}
    manifests = {row["id"] for row in tables.manifests}
    yield from (f"a link to blob {b} that is not there" for _, b in links if b not in blobs)
    for row in tables.edges:
        if _link(row) not in links:
            yield f"manifest {row['manifest_id']} needs blob {row['blob_id']}, which has no link"
    for row in tables.tags:
        if row["manifest_id"] not in manifests:
            yield f"tag {row['name']} points to a manifest that is not there"
    for row in tables.children:
        if row["child_id"] is not None and row["child_id"] not in manifests:
            yield f"index {row['parent_id']} names a manifest that is not there"
    yield from _payloads(tables, blobs)


def _payloads(tables: Tables, blobs: Mapping[int, bytes]) -> Iterable[str]:
    edges: dict[int, set[bytes]] = defaultdict(set)
    for row in tables.edges:
        edges[row["manifest_id"]].add(blobs.get(row["blob_id"], b""))
    for row in tables.children:
        edges[row["parent_id"]].add(row["child_digest"])
    for row in tables.manifests:
        if _digest(row["payload"]) != row["digest"]:
            yield f"manifest {row['id']} has other bytes than its digest says"
        if set(_named(row["payload"])) != edges[row["id"]]:
            yield f"manifest {row['id']} has rows for other digests than it names"


async def _objects(tables: Tables, storage: Storage) -> AsyncIterator[str]:
    """Yield blobs without their bytes, and objects of which no row knows."""
    for row in tables.blobs:
        try:
            async with storage.read(StoredObject(row["storage_key"], row["adopted_path"])) as body:
                content = b"".join([chunk async for chunk in body])
        except ObjectMissing:
            yield f"blob {row['id']} has no object"
            continue
        if _digest(content) != row["digest"] or len(content) != row["size_bytes"]:
            yield f"blob {row['id']} has other bytes than its digest says"
    named = {row["storage_key"] for row in (*tables.blobs, *tables.uploads, *tables.tombstones)}
    async for key in _keys(storage):
        if key not in named:
            yield f"object {key} is named by no row"


async def _keys(storage: Storage) -> AsyncIterator[UUID]:
    after = None
    while page := await storage.objects(after=after, limit=PAGE):
        for listed in page:
            yield listed.key
        after = page[-1].key


def _link(row: Mapping[str, Any]) -> Link:
    return row["repository_id"], row["blob_id"]


def stored(digest: Digest) -> bytes:
    """Return a digest as rows have it: one byte for sha256, then the hash."""
    return b"\x01" + bytes.fromhex(digest.encoded)


def _digest(content: bytes) -> bytes:
    return b"\x01" + hashlib.sha256(content).digest()


def _named(payload: bytes) -> Collection[bytes]:
    """Return the digests that a manifest names, but for its subject."""
    document = json.loads(payload)
    config = [document["config"]] if "config" in document else []
    entries = [*config, *document.get("layers", ()), *document.get("manifests", ())]
    return [stored(Digest.parse(entry["digest"])) for entry in entries]
