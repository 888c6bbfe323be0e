"""What the tests of collection share: a registry whose delays and leases are over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest

from access.identity import SYSTEM
from database.pool import Database
from protocol import media_types
from protocol.content import RawManifest
from protocol.descriptor import Descriptor
from protocol.digest import Digest
from registry.collection import reviewing
from registry.collection.reviewing import Reviewed, Scope
from registry.metadata.tombstones import Released
from registry.repository import LocalRepository
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from registry.stored_object import StoredObject
from tests.integration.registry import steps

REPOSITORY = steps.REPOSITORY
AGE = """
UPDATE registry.repository_blobs SET lease_until = now() - interval '1 second';
UPDATE registry.manifests SET lease_until = now() - interval '2 hours',
    pushed_at = least(pushed_at, now() - interval '3 hours'),
    last_used_at = last_used_at - interval '3 hours', pulled_at = pulled_at - interval '3 hours';
UPDATE registry.gc_queue SET review_after = least(review_after, now());
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """A repository, and what collection does to it."""

    database: Database
    registry: Registry
    repository: LocalRepository
    storage: FilesystemStorage

    async def blob(self, content: bytes, repository: LocalRepository | None = None) -> Digest:
        """Push a blob."""
        wanted = Descriptor(
            media_type=media_types.OCI_LAYER,
            digest=Digest.of(content),
            size_bytes=len(content),
        )
        upload = await (repository or self.repository).begin_blob(wanted)
        if upload is not None:
            await upload.send(_one(content))
        return wanted.digest

    async def put(self, body: bytes, *tags: str) -> Digest:
        """Put a manifest."""
        raw = RawManifest(media_type="", digest=Digest.of(body), body=body)
        await self.repository.put_manifest(raw, tags=tags)
        return raw.digest

    async def image(self, name: str, *tags: str, **fields: object) -> bytes:
        """Push an image with a config and a layer of its own; return its manifest."""
        for content in parts(name):
            await self.blob(content)
        body = steps.image(parts(name)[0], [parts(name)[1]], **fields)
        await self.put(body, *tags)
        return body

    async def age(self) -> None:
        """Let leases be over and reviews be due; what was used was used hours ago."""
        await self.execute(AGE)

    async def execute(self, statement: str, *arguments: object) -> None:
        async with self.database.connection() as connection:
            await connection.execute(statement, *arguments)

    async def values(self, query: str, *arguments: object) -> list[object]:
        """Return the first column."""
        async with self.database.connection() as connection:
            return [next(iter(row.values())) for row in await connection.fetch(query, *arguments)]

    async def collect(self, scope: Scope | None = None) -> Reviewed:
        """Review until nothing goes any more, all delays and leases being over."""
        total = Reviewed(manifests=0, links=0, blobs=0, bytes=0, kept=0, more=False)
        while True:
            await self.age()
            found = await reviewing.review(self.database, scope or Scope())
            total = Reviewed(
                manifests=total.manifests + found.manifests,
                links=total.links + found.links,
                blobs=total.blobs + found.blobs,
                bytes=total.bytes + found.bytes,
                kept=found.kept,
                more=False,
            )
            if not (found.manifests or found.links or found.blobs):
                return total

    async def manifests(self) -> set[str]:
        """Return the digests of what is there."""
        found = await self.values("SELECT registry.digest_text(digest) FROM registry.manifests")
        return {str(one) for one in found}

    async def blobs(self) -> set[str]:
        """Return the digests of the blobs that are there."""
        found = await self.values("SELECT registry.digest_text(digest) FROM registry.blobs")
        return {str(one) for one in found}

    async def tombstones(self) -> list[Released]:
        """Return the objects whose rows are gone."""
        async with self.database.connection() as connection:
            rows = await connection.fetch("SELECT storage_key, size_bytes FROM registry.tombstones")
        return [
            Released(stored=StoredObject(row["storage_key"]), size_bytes=row["size_bytes"])
            for row in rows
        ]


async def _one(content: bytes) -> AsyncIterator[bytes]:
    yield content


def parts(name: str) -> tuple[bytes, bytes]:
    """Return config and layer of an image."""
    return f'{{"image": "{name}"}}'.encode(), f"layer of {name}".encode()


def digests_of(contents: Sequence[bytes]) -> set[str]:
    return {steps.digest(one) for one in contents}


@pytest.fixture
async def yard(database: Database, registry: Registry, storage: FilesystemStorage) -> Yard:
    await registry.prepare(REPOSITORY)
    return Yard(
        database=database,
        registry=registry,
        repository=registry.repository(REPOSITORY, SYSTEM),
        storage=storage,
    )
