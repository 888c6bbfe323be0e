"""Taking one repository of another registry's storage: manifests, children first, then tags."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from access.identity import SYSTEM, Principal
from protocol.content import MANIFEST_LIMIT_BYTES, RawManifest
from protocol.digest import Digest
from protocol.errors import ContentError, InvalidManifest, ManifestTooLarge, RegistryError
from registry import immutability
from registry.care import needs, old_repository
from registry.care.adopting import Adopter
from registry.care.needs import Needs
from registry.care.old_repository import OldRepository, Skipped, TagChange
from registry.errors import ObjectMissing
from registry.metadata import adoptions, immutable_rules, repositories
from registry.repository import LocalRepository
from registry.service import Registry

# Who pushed what an import took; a tag that leads to anything else has been moved here since.
IMPORTER: Final = Principal(user_id=None, username="storage import", is_sysadmin=True)
MANIFESTS_AT_ONCE: Final = 16
BLOBS_AT_ONCE: Final = 8
PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """An index that waits for its children."""

    raw: RawManifest
    needs: Needs


class Taking:
    """One repository on its way in; `dry_run` looks and writes nothing."""

    def __init__(
        self, registry: Registry, adopter: Adopter, old: OldRepository, name: str, *, dry_run: bool
    ) -> None:
        self._adopter = adopter
        self._taken = adopter.taken
        self._old = old
        self._name = name
        self._here: LocalRepository = registry.repository(name, IMPORTER)
        self._reader = registry.repository(name, SYSTEM)  # whose reads are no use of anything
        self._dry_run = dry_run
        self._repository_id = 0
        self._revisions_there = frozenset(old.revisions)
        self._manifests: set[Digest] = set()
        self._waiting: dict[Digest, _Waiting] = {}
        self._unused: set[Digest] = set()
        self._slots = asyncio.Semaphore(BLOBS_AT_ONCE)

    async def run(self) -> AsyncIterator[Skipped | None]:
        """Take it all; yield what is left out, and None for each manifest that is through."""
        async with self._adopter.database.connection() as connection:
            self._manifests = await adoptions.manifests_here(connection, self._name)
            if not self._dry_run:
                project = self._name.partition("/")[0]
                found = await repositories.ensure(connection, project=project, name=self._name)
                self._repository_id = found or 0
        async for step in self._revisions():
            yield step
        async for skipped in self._tags():
            yield skipped
        if not self._dry_run:
            await self._note()

    async def _revisions(self) -> AsyncIterator[Skipped | None]:
        new = [digest for digest in self._old.revisions if digest not in self._manifests]
        self._taken.manifests_here += len(self._old.revisions) - len(new)
        async for step in _at_once(self._revision, new):
            yield step
        while self._waiting:
            ready = [one for one in self._waiting if not self._waits(one)]
            async for step in _at_once(self._index, ready):
                yield step

    async def _revision(self, digest: Digest) -> Skipped | None:
        """Take a manifest, or let an index wait for its children."""
        try:
            raw = await self._raw(digest)
            wanted = needs.of(raw, revisions=self._revisions_there)
        except (ObjectMissing, ContentError, InvalidManifest) as error:
            return self._skipped(digest, str(error))
        if wanted.children:
            self._waiting[digest] = _Waiting(raw=raw, needs=wanted)
            return None
        return await self._manifest(raw, wanted)

    async def _index(self, digest: Digest) -> Skipped | None:
        ready = self._waiting[digest]
        try:
            return await self._manifest(ready.raw, ready.needs)
        finally:
            del self._waiting[digest]

    def _waits(self, digest: Digest) -> bool:
        return any(child in self._waiting for child in self._waiting[digest].needs.children)

    async def _raw(self, digest: Digest) -> RawManifest:
        body = await self._adopter.old.manifest(digest)
        if len(body) > MANIFEST_LIMIT_BYTES:
            raise ManifestTooLarge(limit_bytes=MANIFEST_LIMIT_BYTES)
        digest.verify(body)
        return RawManifest(media_type="", digest=digest, body=body)

    async def _manifest(self, raw: RawManifest, wanted: Needs) -> Skipped | None:
        faults = await self._blobs(wanted.blobs)
        faults += [
            f"{child} is not here: it was not in the storage, or was left out"
            for child in wanted.children
            if child not in self._manifests
        ]
        if faults:
            self._unused |= wanted.blobs.keys()
            return self._skipped(raw.digest, "; ".join(faults))
        if not self._dry_run:
            try:
                await self._here.put_manifest(raw, tags=(), is_told=False)
            except RegistryError as error:
                self._unused |= wanted.blobs.keys()
                return self._skipped(raw.digest, str(error))
        self._manifests.add(raw.digest)
        self._taken.manifests += 1
        return None

    async def _note(self) -> None:
        """Remember what is here of this repository, so that its originals can be handed over."""
        taken = [digest for digest in self._old.revisions if digest in self._manifests]
        storage_id = self._adopter.storage_id
        for start in range(0, len(taken), PAGE):
            page = taken[start : start + PAGE]
            async with self._adopter.database.connection() as connection:
                await adoptions.note(connection, storage_id, self._name, page)
        async with self._adopter.database.connection() as connection:
            await adoptions.unnote(connection, storage_id, list(self._unused))

    async def _blobs(self, wanted: Mapping[Digest, int]) -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._blob(*item)) for item in wanted.items()]
        return [fault for task in tasks if (fault := task.result())]

    async def _blob(self, digest: Digest, size_bytes: int) -> str:
        async with self._slots:
            if self._dry_run:
                return await self._adopter.look(digest, size_bytes)
            return await self._adopter.take(digest, size_bytes, repository_id=self._repository_id)

    async def _tags(self) -> AsyncIterator[Skipped | None]:
        async with self._adopter.database.connection() as connection:
            here = await adoptions.tags_here(connection, self._name)
            bound = await immutable_rules.binding(connection, self._name)
        immutable = immutability.taken(bound.rules if bound else (), self._name, here)
        changes: dict[Digest, list[str]] = {}
        for tag, digest in self._old.tags.items():
            now = here.get(tag)
            change = old_repository.tag_change(
                here=now.digest if now else None,
                there=digest,
                imported=now is not None and now.pushed_by == IMPORTER.username,
            )
            if skipped := self._kept(tag, digest, change):
                yield skipped
            elif change is TagChange.MOVE and tag in immutable:
                refusal = immutability.not_moved(self._name, {tag: immutable[tag]})
                yield Skipped(where=f"{self._old.name}:{tag}", reason=refusal.message)
            elif change is TagChange.MOVE:
                changes.setdefault(digest, []).append(tag)

        async def move(digest: Digest) -> Skipped | None:
            return await self._tag(digest, changes[digest])

        async for step in _at_once(move, list(changes)):
            yield step

    def _kept(self, tag: str, digest: Digest, change: TagChange) -> Skipped | None:
        where = f"{self._old.name}:{tag}"
        if change is TagChange.NONE:
            self._taken.tags_here += 1
        elif change is TagChange.KEEP:
            reason = f"it was moved here since; there it leads to {digest}"
            return Skipped(where=where, reason=reason)
        elif digest not in self._manifests:
            return Skipped(where=where, reason=f"{digest} is not here: left out, or not there")
        return None

    async def _tag(self, digest: Digest, tags: Sequence[str]) -> Skipped | None:
        """Let all tags of one manifest lead to it."""
        if not self._dry_run:
            try:
                raw = await self._reader.read_manifest(str(digest))
                await self._here.put_manifest(raw, tags=tags, is_told=False)
            except RegistryError as error:
                return Skipped(where=f"{self._old.name}:{','.join(tags)}", reason=str(error))
        self._taken.tags += len(tags)
        return None

    def _skipped(self, digest: Digest, reason: str) -> Skipped:
        return Skipped(where=f"{self._old.name}@{digest}", reason=reason)


async def _at_once(
    take: Callable[[Digest], Awaitable[Skipped | None]], digests: Sequence[Digest]
) -> AsyncIterator[Skipped | None]:
    """Take some at a time: what is written together waits for the disk together."""
    for start in range(0, len(digests), MANIFESTS_AT_ONCE):
        async with asyncio.TaskGroup() as group:
            some = digests[start : start + MANIFESTS_AT_ONCE]
            tasks = [group.create_task(_result(take(digest))) for digest in some]
        for task in tasks:
            yield task.result()


async def _result(taking: Awaitable[Skipped | None]) -> Skipped | None:
    return await taking
