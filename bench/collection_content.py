"""One content in two registries: in distribution's folders, and in our rows with the same files.

Images come in pairs that share a blob; one of a pair is tagged. Nothing is pushed: that would take
longer than what is measured.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from database.pool import connect_once

PAIRS: Final = 10_000
OWN_BLOBS: Final = 4
PAIRS_A_REPOSITORY: Final = 100
_IMAGE: Final = "application/vnd.oci.image.manifest.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_PROJECT: Final = "SELECT id FROM access.projects WHERE name = 'library'"
_REPOSITORY: Final = """
INSERT INTO registry.repositories (project_id, name)
VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET updated_at = now() RETURNING id
"""
_NUMBERED: Final = """
SELECT id, encode(substr(digest, 2), 'hex') AS digest FROM registry.{table}
"""
_COLUMNS: Final = {
    "blobs": ["digest", "size_bytes", "storage_key"],
    "manifests": [
        "repository_id", "digest", "media_type", "size_bytes", "payload", "lease_until"
    ],
    "repository_blobs": ["repository_id", "blob_id", "lease_until"],
    "manifest_blobs": ["repository_id", "manifest_id", "blob_id", "role"],
    "tags": ["repository_id", "name", "manifest_id"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Image:
    """One image: `blobs` by their digests, the config first; `tag` is empty for garbage."""

    repository: str
    tag: str
    blobs: tuple[tuple[str, bytes], ...]

    @property
    def manifest(self) -> bytes:
        """Its manifest."""
        config, *layers = (
            {"mediaType": kind, "digest": f"sha256:{name}", "size": len(body)}
            for kind, (name, body) in zip([_CONFIG, *[_LAYER] * OWN_BLOBS], self.blobs, strict=True)
        )
        document = {"schemaVersion": 2, "mediaType": _IMAGE, "config": config, "layers": layers}
        return json.dumps(document).encode()


def images() -> Iterator[Image]:
    """Yield all images, pair by pair."""
    for pair in range(PAIRS):
        shared = _blob(f"shared {pair}")
        repository = f"library/app-{pair // PAIRS_A_REPOSITORY:03d}"
        for tag in (f"v{pair}", ""):
            own = [_blob(f"{pair} {tag} {number}") for number in range(OWN_BLOBS)]
            yield Image(repository, tag, (*own, shared))


def _blob(text: str) -> tuple[str, bytes]:
    body = text.encode() * 20
    return hashlib.sha256(body).hexdigest(), body


def name_of(body: bytes) -> str:
    """Return the digest of a manifest, without its algorithm."""
    return hashlib.sha256(body).hexdigest()


def write_theirs(root: Path) -> None:
    """Write distribution's folders: every blob once, links for manifests and tags.

    A repository is one by its `_layers`, of whose links a collection asks nothing.
    """
    for image in images():
        body = image.manifest
        digest = name_of(body)
        for name, content in (*image.blobs, (digest, body)):
            _put(data(root, name), content)
        manifests = root / "docker/registry/v2/repositories" / image.repository / "_manifests"
        manifests.with_name("_layers").mkdir(parents=True, exist_ok=True)
        link = f"sha256:{digest}".encode()
        _put(manifests / "revisions/sha256" / digest / "link", link)
        if image.tag:
            _put(manifests / "tags" / image.tag / "current/link", link)
            _put(manifests / "tags" / image.tag / "index/sha256" / digest / "link", link)


def data(root: Path, name: str) -> Path:
    """Return where distribution keeps a blob."""
    return root / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data"


def _put(path: Path, content: bytes) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def theirs_left(root: Path) -> set[str]:
    """Return the digests of the blobs that are there, manifests among them."""
    return {path.parent.name for path in root.glob("docker/registry/v2/blobs/sha256/*/*/data")}


async def write_ours(dsn: str, theirs: Path, storage: Path) -> None:
    """Write our rows, and link each blob's file to theirs."""
    connection: Any = await connect_once(dsn, application_name="bench")
    try:
        await connection.execute("SET session_replication_role = replica")
        await _write(connection, theirs, storage)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _write(connection: Any, theirs: Path, storage: Path) -> None:
    over = await connection.fetchval("SELECT now() - interval '1 day'")
    project = await connection.fetchval(_PROJECT)
    repositories = {
        name: await connection.fetchval(_REPOSITORY, project, name)
        for name in dict.fromkeys(image.repository for image in images())
    }

    async def copy(table: str, records: Sequence[tuple[object, ...]]) -> None:
        await connection.copy_records_to_table(
            table, schema_name="registry", columns=_COLUMNS[table], records=records
        )

    async def ids(table: str) -> dict[str, int]:
        rows = await connection.fetch(_NUMBERED.format(table=table))
        return {row["digest"]: row["id"] for row in rows}

    sizes = {name: len(body) for image in images() for name, body in image.blobs}
    keys = {name: uuid.uuid4() for name in sizes}
    for name, key in keys.items():
        os.link(data(theirs, name), storage / "objects" / key.hex[:2] / key.hex)
    await copy("blobs", [(_stored(name), sizes[name], keys[name]) for name in sizes])
    blobs = await ids("blobs")
    await copy(
        "manifests",
        [
            (repositories[image.repository], _stored(name_of(body)), _IMAGE, len(body), body, over)
            for image in images()
            for body in [image.manifest]
        ],
    )
    manifests = await ids("manifests")
    edges = [
        (repositories[image.repository], manifests[digest], blobs[name], role)
        for image in images()
        for digest in [name_of(image.manifest)]
        for (name, _), role in zip(image.blobs, ["config", *["layer"] * OWN_BLOBS], strict=True)
    ]
    await copy("manifest_blobs", edges)
    links = dict.fromkeys((repository, blob) for repository, _, blob, _ in edges)
    await copy("repository_blobs", [(*link, over) for link in links])
    await copy(
        "tags",
        [
            (repositories[image.repository], image.tag, manifests[name_of(image.manifest)])
            for image in images()
            if image.tag
        ],
    )


def _stored(name: str) -> bytes:
    return b"\x01" + bytes.fromhex(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left in ours: digests of blobs and manifests; blobs without, and files of no blob."""

    digests: set[str]
    missing: set[str]
    stray: set[str]


async def ours_left(dsn: str, storage: Path) -> Left:
    """Return what has rows, and whether the files are the same."""
    connection: Any = await connect_once(dsn, application_name="bench")
    try:
        query = "SELECT encode(substr(digest, 2), 'hex') AS digest, storage_key FROM registry.blobs"
        blobs = await connection.fetch(query)
        manifests = await connection.fetch(_NUMBERED.format(table="manifests"))
    finally:
        await connection.close()
    files = await asyncio.to_thread(_files, storage)
    keys = {row["storage_key"].hex: row["digest"] for row in blobs}
    return Left(
        digests={row["digest"] for row in (*blobs, *manifests)},
        missing={digest for key, digest in keys.items() if key not in files},
        stray=files - keys.keys(),
    )


def _files(storage: Path) -> set[str]:
    return {path.name for path in storage.glob("objects/*/*")}
