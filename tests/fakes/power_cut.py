"""A disk that forgets, at a power cut, whatever nobody had synced: bytes, and names in folders."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

import pytest


@dataclass
class Disk:
    """Remembers what was synced beneath a folder, from `watch` on."""

    root: Path
    bytes_of: dict[int, bytes] = field(default_factory=dict)
    names_in: dict[int, dict[str, int]] = field(default_factory=dict)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Take what is there for synced, and note every sync that comes."""
        for path in (self.root, *self.root.rglob("*")):
            descriptor = os.open(path, os.O_RDONLY)
            self._note(descriptor)
            os.close(descriptor)
        for name in ("fsync", "fdatasync"):
            patch.setattr(os, name, self._note)

    def cut(self) -> None:
        """Cut the power: leave what was synced, as it was then."""
        for folder in [self.root, *(path for path in self.root.rglob("*") if path.is_dir())]:
            known = self.names_in.get(folder.stat().st_ino, {})
            for path in folder.iterdir():
                if known.get(path.name) != path.stat().st_ino:
                    path.unlink()
                elif path.is_file():
                    path.write_bytes(self.bytes_of.get(path.stat().st_ino, b""))

    def _note(self, descriptor: int) -> None:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            with os.scandir(descriptor) as entries:
                self.names_in[facts.st_ino] = {one.name: one.inode() for one in entries}
        else:
            self.bytes_of[facts.st_ino] = os.pread(descriptor, facts.st_size, 0)
