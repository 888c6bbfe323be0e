"""What the tests of an adoption share: the old storage, made by hand, and an import of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from database.pool import Database
from registry.care.distribution_folder import DistributionFolder
from registry.care.importing import Import, Wish
from registry.care.old_repository import Skipped
from registry.care.old_storage import OldStorage
from registry.care.taken import Taken
from registry.storage.filesystem import FilesystemStorage
from tests.fakes.distribution_folder import OldFolder


@pytest.fixture
def old(tmp_path: Path) -> OldFolder:
    folder = OldFolder(tmp_path / "old")
    (folder.root / "repositories").mkdir(parents=True)
    return folder


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    taken: Taken
    skipped: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Imports the old storage."""

    database: Database
    storage: FilesystemStorage
    old: OldFolder

    async def run(self, wish: Wish | None = None, *, old: OldStorage | None = None) -> Outcome:
        there = old or DistributionFolder(self.old.folder, self.storage)
        adoption = Import(self.database, self.storage, there, wish or Wish())
        skipped = [step async for step in adoption.run() if isinstance(step, Skipped)]
        assert adoption.taken.skipped == len(skipped)
        return Outcome(taken=adoption.taken, skipped={one.where: one.reason for one in skipped})


@pytest.fixture
def importer(database: Database, storage: FilesystemStorage, old: OldFolder) -> Importer:
    return Importer(database=database, storage=storage, old=old)
