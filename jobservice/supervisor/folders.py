"""Private folders, folders short enough for sockets, and the lock of a data folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobservice.supervisor import errors

# sockaddr_un holds 108 bytes with the closing zero (man 7 unix); some clients want one less.
LONGEST_SOCKET_PATH = 107
# What goes into a DSN without any quoting, which not every client undoes.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")


def private(path: Path) -> Path:
    """Make the folder, readable by its owner only; refuses one that belongs to somebody else."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    if found.st_uid != os.geteuid():
        raise errors.WrongFolder(
            f"{path} belongs to user id {found.st_uid} and we run as {os.geteuid()}: "
            "run as its owner or choose another folder with --data"
        )
    if found.st_mode & 0o077:
        path.chmod(0o700)
    return path


def sockets(folder: Path, *, longest_name: str) -> Path:
    """Private folder for sockets: `folder` itself, or one under /tmp named after its hash.

    The second when a socket's path would not fit or would need quoting in a DSN.
    """
    path = str(folder / longest_name)
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(path):
        return private(folder)
    mark = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]
    return private(Path(tempfile.gettempdir()) / f"transship-{os.geteuid()}-{mark}")


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
