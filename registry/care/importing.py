"""Adopting another registry's storage where it lies, repository by repository.

Nothing there is changed and no blob is copied. Whatever was interrupted goes on when it is called
again: manifests, tags and blobs that are here are left as they are.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from access import projects
from access.errors import AccessError
from database.pool import Database
from protocol.errors import RegistryError
from registry.care import old_repository
from registry.care.adopting import Adopter
from registry.care.errors import NotAdoptable
from registry.care.old_repository import OldRepository, Skipped
from registry.care.old_storage import OldStorage
from registry.care.taken import Taken
from registry.care.taking import Taking
from registry.metadata import adoptions, repositories
from registry.service import Registry
from registry.storage.driver import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to import: `project` takes repositories that are in none, `quick` hashes no blob."""

    project: str = "library"
    quick: bool = False
    dry_run: bool = False


class Import:
    """One run over a storage; `taken` counts what it came to."""

    def __init__(self, database: Database, storage: Storage, old: OldStorage, wish: Wish) -> None:
        self._database = database
        self._storage = storage
        self._registry = Registry(database, storage)
        self._old = old
        self._wish = wish
        self.taken = Taken()

    async def run(self) -> AsyncIterator[Skipped | None]:
        """Take everything; yield what is left out with its reason, and None at each step between.

        Raise NotAdoptable, or DatabaseUnavailable: then call it again.
        """
        projects.check_name(self._wish.project)
        if not self._wish.dry_run and await self._registry.is_read_only():
            raise NotAdoptable("this registry is read-only: allow changes before an import")
        adopter = await self._adopter()
        async for old in self._old.repositories():
            async for step in self._repository(old, adopter):
                self.taken.skipped += step is not None
                yield step
        if not self._wish.dry_run:
            await self._count_left(adopter.storage_id)

    async def _adopter(self) -> Adopter:
        """Return what takes the blobs; a dry run leaves not even the row of the storage."""
        async with self._database.connection() as connection:
            if self._wish.dry_run:
                row = await adoptions.find_storage(connection, self._old.location)
            else:
                row = await adoptions.open_storage(connection, self._old.location)
        if row is not None and row.committed_at is not None:
            raise NotAdoptable(
                f"{self._old.location} was handed over to this registry at "
                f"{row.committed_at:%Y-%m-%d %H:%M} UTC (--commit): its originals are gone from it"
            )
        return Adopter(
            database=self._database,
            storage=self._storage,
            old=self._old,
            storage_id=row.id if row is not None else 0,
            quick=self._wish.quick,
            taken=self.taken,
        )

    async def _repository(
        self, old: OldRepository, adopter: Adopter
    ) -> AsyncIterator[Skipped | None]:
        self.taken.repositories += 1
        for skipped in old.skipped:
            yield skipped
        name = old_repository.name_here(old.name, project=self._wish.project)
        if name != old.name and await self._old.has_repository(name):
            reason = f"it would be {name} here, which is there too: choose another --project"
            yield Skipped(where=old.name, reason=reason)
            return
        try:
            taking = Taking(self._registry, adopter, old, name, dry_run=self._wish.dry_run)
            await self._project(name.partition("/")[0])
        except (RegistryError, AccessError) as error:
            yield Skipped(where=old.name, reason=str(error))
            return
        async for step in taking.run():
            yield step

    async def _project(self, project: str) -> None:
        """Make a project that is not there: private; raise InvalidProjectName."""
        projects.check_name(project)
        async with self._database.connection() as connection:
            if await repositories.project_is_public(connection, project) is not None:
                return
            if not self._wish.dry_run:
                await projects.ensure(connection, name=project, public=False)
        if project not in self.taken.projects:
            self.taken.projects.append(project)

    async def _count_left(self, storage_id: int) -> None:
        """Count the data that nothing names which was taken."""
        async for page in self._old.blobs():
            async with self._database.connection() as connection:
                left = await adoptions.not_taken(connection, storage_id, [one for one, _ in page])
            self.taken.left += len(left)
            self.taken.left_bytes += sum(size for digest, size in page if digest in left)
