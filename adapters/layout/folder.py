"""Directories held open: names beneath one are opened from its descriptor, one at a time.

Nothing that is put in between later can lead elsewhere, and on a server no link is followed at all.
"""

from __future__ import annotations

import errno
import os
import stat
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self


class Opener(Protocol):
    """Opens the folder that something lives in, each time anew: it may not exist yet."""

    def __call__(self, *, create: bool = False) -> Folder:
        """Open it; make it first if need be and `create` says so. Raises OSError."""
        ...


class Folder:
    """An open directory. Closed when it is no longer referred to."""

    def __init__(self, descriptor: int, *, path: Path, follows_links: bool) -> None:
        self.descriptor = descriptor
        self.path = path
        self._link_flag = 0 if follows_links else os.O_NOFOLLOW
        self._finalizer = weakref.finalize(self, os.close, descriptor)

    @classmethod
    def open(cls, path: Path, *, follows_links: bool, create: bool = False) -> Self:
        """Open a directory by its path; links in `path` itself are followed. Raises OSError."""
        if create:
            path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return cls(descriptor, path=path, follows_links=follows_links)

    @property
    def follows_links(self) -> bool:
        """Whether links beneath it are followed."""
        return self._link_flag == 0

    def enter(self, *names: str, create: bool = False) -> Folder:
        """Open a folder beneath this one. Raises OSError; ELOOP or ENOTDIR for a link."""
        here: Folder = self
        for name in names:
            here = here._step(name, create=create)
        return here

    def open_file(self, name: str, flags: int = os.O_RDONLY) -> int:
        """Open a file in this folder and return its descriptor. Raises OSError."""
        mode = flags | self._link_flag | os.O_CLOEXEC | os.O_NONBLOCK
        return os.open(_plain(name), mode, 0o644, dir_fd=self.descriptor)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name, in place of whatever has it, and make that durable."""
        os.rename(_plain(old), _plain(new), src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)
        os.fsync(self.descriptor)

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is fine."""
        with suppress(FileNotFoundError):
            os.unlink(_plain(name), dir_fd=self.descriptor)

    def names(self) -> list[str]:
        """Return the names in it, sorted."""
        return sorted(os.listdir(self.descriptor))  # noqa: PTH208 - a descriptor, not a path

    def is_file(self, name: str) -> bool:
        """Say whether a name is a regular file's; a link is none."""
        found = os.stat(_plain(name), dir_fd=self.descriptor, follow_symlinks=False)
        return stat.S_ISREG(found.st_mode)

    def _step(self, name: str, *, create: bool) -> Folder:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | self._link_flag
        if create:
            with suppress(FileExistsError):
                os.mkdir(_plain(name), 0o755, dir_fd=self.descriptor)
                os.fsync(self.descriptor)
        descriptor = os.open(_plain(name), flags, dir_fd=self.descriptor)
        return Folder(descriptor, path=self.path / name, follows_links=self.follows_links)


def _plain(name: str) -> str:
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise OSError(errno.EINVAL, f"{name!r} is no plain file name")
    return name
