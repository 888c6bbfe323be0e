"""Taking one repository of another registry's storage: manifests, children first, then tags."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from access.identity import SYSTEM, Principal
from protocol.content import RawManifest
from protocol.digest import Digest
from protocol.errors import ContentError, InvalidManifest, RegistryError
from registry.care import needs, old_repository
from registry.care.adopting import Adopter
from registry.care.needs import Needs
from registry.care.old_repository import OldRepository, Skipped, TagChange
from registry.errors import ObjectMissing
from registry.metadata import adoptions, repositories
from registry.repository import LocalRepository
from registry.service import Registry

# Who pushed what an import took; a tag that leads to anything else has been moved here since.
IMPORTER: Final = Principal(user_id=None, username="storage import", is_sysadmin=True)
BLOBS_AT_ONCE: Final = 4


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
        self._manifests: set[Digest] = set()
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

    async def _revisions(self) -> AsyncIterator[Skipped | None]:
        revisions = frozenset(self._old.revisions)
        waiting: dict[Digest, _Waiting] = {}
        for digest in self._old.revisions:
            if digest in self._manifests:
                self._taken.manifests_here += 1
                continue
            try:
                raw = await self._raw(digest)
                wanted = needs.of(raw, revisions=revisions)
            except (ObjectMissing, ContentError, InvalidManifest) as error:
                yield self._skipped(digest, str(error))
                continue
            if wanted.children:
                waiting[digest] = _Waiting(raw=raw, needs=wanted)
            else:
                yield await self._manifest(raw, wanted)
        while waiting:
            for digest in [one for one in waiting if not _waits(waiting[one], waiting)]:
                ready = waiting.pop(digest)
                yield await self._manifest(ready.raw, ready.needs)

    async def _raw(self, digest: Digest) -> RawManifest:
        body = await self._adopter.old.manifest(digest)
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
            return self._skipped(raw.digest, "; ".join(faults))
        if not self._dry_run:
            try:
                await self._here.put_manifest(raw, tags=(), is_told=False)
            except RegistryError as error:
                return self._skipped(raw.digest, str(error))
            await self._note(raw)
        self._manifests.add(raw.digest)
        self._taken.manifests += 1
        return None

    async def _note(self, raw: RawManifest) -> None:
        async with self._adopter.database.connection() as connection:
            await adoptions.note(connection, self._adopter.storage_id, raw.digest, len(raw.body))

    async def _blobs(self, wanted: Mapping[Digest, int]) -> list[str]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._blob(*item)) for item in wanted.items()]
        return [fault for task in tasks if (fault := task.result())]

    async def _blob(self, digest: Digest, size_bytes: int) -> str:
        async with self._slots:
            if self._dry_run:
                return await self._adopter.look(digest, size_bytes)
            return await self._adopter.take(digest, size_bytes, repository_id=self._repository_id)

    async def _tags(self) -> AsyncIterator[Skipped]:
        async with self._adopter.database.connection() as connection:
            here = await adoptions.tags_here(connection, self._name)
        for tag, digest in self._old.tags.items():
            now = here.get(tag)
            change = old_repository.tag_change(
                here=now.digest if now else None,
                there=digest,
                imported=now is not None and now.pushed_by == IMPORTER.username,
            )
            if skipped := await self._tag(tag, digest, change):
                yield skipped

    async def _tag(self, tag: str, digest: Digest, change: TagChange) -> Skipped | None:
        where = f"{self._old.name}:{tag}"
        if change is TagChange.NONE:
            self._taken.tags_here += 1
            return None
        if change is TagChange.KEEP:
            return Skipped(
                where=where, reason=f"it was moved here since; there it leads to {digest}"
            )
        if digest not in self._manifests:
            return Skipped(where=where, reason=f"{digest} is not here: left out, or not there")
        if not self._dry_run:
            try:
                raw = await self._reader.read_manifest(str(digest))
                await self._here.put_manifest(raw, tags=[tag], is_told=False)
            except RegistryError as error:
                return Skipped(where=where, reason=str(error))
        self._taken.tags += 1
        return None

    def _skipped(self, digest: Digest, reason: str) -> Skipped:
        return Skipped(where=f"{self._old.name}@{digest}", reason=reason)


def _waits(one: _Waiting, waiting: Mapping[Digest, _Waiting]) -> bool:
    return any(child in waiting for child in one.needs.children)
