"""A folder of backups. All of it may wait for the disk.

DEST/
├── lock                      who makes a backup holds it
├── objects/<2 hex>/<key>     the blobs of all backups, each once: a key is never used again
└── 20261126T013000Z/
    ├── database.dump
    ├── objects.list          key, digest and size of every object, by key
    └── manifest.json         written last
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import heapq
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from registry.care import backup_manifest, linking
from registry.care.backup_manifest import BackupManifest, FileFacts
from registry.care.errors import BackupInUse, BrokenBackup, NoBackup
from registry.metadata.backups import BlobObject

DATABASE: Final = "database.dump"
OBJECTS: Final = "objects.list"
MANIFEST: Final = "manifest.json"
PARTIAL: Final = ".partial"
_NAME: Final = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z*"
_SHARDS: Final = 256
_PIECE_BYTES: Final = 1024 * 1024


class BackupPlace:
    """Backups in a folder, readable by their owner alone: they hold what the database holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self._objects = self.folder / "objects"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folders and hold them; what killed backups left goes. Raise BackupInUse."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BackupInUse(
                    f"another backup is being made in {self.folder}: wait for its end, or name "
                    "another folder"
                ) from None
            self._objects.mkdir(exist_ok=True)
            for shard in range(_SHARDS):
                (self._objects / f"{shard:02x}").mkdir(exist_ok=True)
            for folder in self._folders():
                if not (folder / MANIFEST).exists():
                    shutil.rmtree(folder)
            yield
        finally:
            os.close(descriptor)

    def begin(self, name: str) -> Path:
        """Make the folder of a new backup; one that is there already gets a number behind."""
        number = 1
        while True:
            folder = self.folder / (name if number == 1 else f"{name}-{number}")
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                number += 1
            else:
                return folder

    def finish(self, folder: Path, manifest: BackupManifest) -> None:
        """Make everything outlive a crash of the machine, then the manifest."""
        for shard in self._objects.iterdir():
            linking.fsync_folder(shard)
        partial = folder / (MANIFEST + PARTIAL)
        partial.write_text(manifest.to_json())
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(folder / MANIFEST)
        for changed in (folder, self._objects, self.folder):
            linking.fsync_folder(changed)

    def finished(self) -> list[str]:
        """Return the names of finished backups, the oldest first."""
        return [folder.name for folder in self._folders() if (folder / MANIFEST).exists()]

    def _folders(self) -> list[Path]:
        return sorted(self.folder.glob(_NAME))

    def open(self, name: str | None) -> tuple[Path, BackupManifest]:
        """Return a finished backup, by default the newest, its files checked.

        Raise NoBackup or BrokenBackup.
        """
        names = self.finished()
        if not names or (name is not None and name not in names):
            unfinished = len(self._folders()) - len(names)
            raise NoBackup(
                f"{self.folder} holds no finished backup{f' {name}' if name else ''}"
                f" (finished: {', '.join(names) or 'none'}; unfinished: {unfinished})"
            )
        folder = self.folder / (name or names[-1])
        manifest = BackupManifest.parse((folder / MANIFEST).read_text())
        for file in (DATABASE, OBJECTS):
            if facts(folder / file) != manifest.files.get(file):
                raise BrokenBackup(f"{folder / file} is not what was written: its sha256 differs")
        return folder, manifest

    def path(self, found: BlobObject) -> Path:
        """Return where an object of a backup lies."""
        return self._objects / found.key.hex[:2] / found.key.hex

    def has(self, found: BlobObject) -> bool:
        """Say whether an object is there; one of another size is no object and goes."""
        path = self.path(found)
        try:
            is_whole = path.stat().st_size == found.size_bytes
        except FileNotFoundError:
            return False
        if not is_whole:
            path.unlink()
        return is_whole

    def keep(self, count: int) -> tuple[int, int]:
        """Remove all but the newest backups and what they alone named; return how many of each."""
        names = self.finished()
        for name in names[:-count]:
            (self.folder / name / MANIFEST).unlink()
            shutil.rmtree(self.folder / name)
        left = [self.folder / name / OBJECTS for name in names[-count:]]
        return len(names[:-count]), self._forget_unnamed(left)

    def _forget_unnamed(self, lists: Sequence[Path]) -> int:
        """Walk the sorted lists and the sorted folders side by side."""
        named = heapq.merge(*(map(_key, objects(file)) for file in lists))
        current = next(named, None)
        count = 0
        for shard in sorted(self._objects.iterdir()):
            for path in sorted(shard.iterdir()):
                while current is not None and current < path.name:
                    current = next(named, None)
                if path.name != current:
                    path.unlink()
                    count += 1
        return count


def objects(file: Path) -> Iterator[BlobObject]:
    """Yield what a list names, by key."""
    with file.open() as lines:
        yield from map(backup_manifest.parse_line, lines)


def _key(found: BlobObject) -> str:
    return found.key.hex


def facts(path: Path) -> FileFacts:
    """Return size and hash of a file; of one that is not there, those of nothing."""
    hashed, size_bytes = hashlib.sha256(), 0
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            hashed.update(piece)
            size_bytes += len(piece)
    return FileFacts(size_bytes=size_bytes, sha256=hashed.hexdigest())
