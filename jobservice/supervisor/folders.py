"""Private folders, and the lock of a data folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobservice.supervisor import errors


def private(path: Path, *, given_to: int | None = None) -> Path:
    """Make the folder, readable by its owner only.

    Refuses one that belongs to somebody else than us or the user id that it was given to before.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid not in {os.geteuid(), given_to}:
        raise errors.WrongFolder(
            f"{path} belongs to user id {found.st_uid} and we run as {os.geteuid()}: "
            "run as its owner or choose another folder with --data"
        )
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; raises FolderInUse naming the process that has it."""
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            raise errors.FolderInUse(
                f"{folder} is in use by another `transship up` (process {holder}): stop that one, "
                "or choose another folder with --data and another address with --listen"
            ) from None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all, and durably."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
