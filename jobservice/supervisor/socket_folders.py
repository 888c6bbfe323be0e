"""Folders short and plain enough for sockets: made, given back, and tidied after the dead."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from jobservice.supervisor import folders

# sockaddr_un holds 108 bytes with the closing zero (man 7 unix); some clients want one less.
LONGEST_SOCKET_PATH = 107
# What goes into a DSN without any quoting, which not every client undoes.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
# A server that is starting has its folder and does not listen yet.
STARTING_SECONDS = 600.0
_MARK_LENGTH = 16


def make(folder: Path, *, longest_name: str, given_to: int | None = None) -> Path:
    """Private folder for sockets: `folder` itself, or one under /tmp named after its hash.

    The second when a socket's path would not fit or would need quoting in a DSN. It may belong
    to the user id that an earlier start gave it to.
    """
    chosen = path(folder, longest_name=longest_name)
    if chosen != folder and chosen.is_dir():
        os.utime(chosen)
    return folders.private(chosen, given_to=given_to)


def path(folder: Path, *, longest_name: str) -> Path:
    """Where `make` puts it; nothing is made."""
    inside = str(folder / longest_name)
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH and PLAIN_PATH.fullmatch(inside):
        return folder
    mark = hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:_MARK_LENGTH]
    return Path(tempfile.gettempdir()) / f"{_prefix()}{mark}"


def give_back(folder: Path) -> None:
    """Remove a folder of a server that has ended, if it is one under /tmp."""
    if folder.parent == Path(tempfile.gettempdir()) and _is_ours(folder):
        shutil.rmtree(folder, ignore_errors=True)


def tidy() -> None:
    """Remove what servers of killed runs left under /tmp: nobody listens, and nobody starts."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_prefix()}*"):
        with suppress(FileNotFoundError):  # another `up` may tidy, too
            if _is_ours(folder) and _is_old(folder) and not any(map(_listens, folder.iterdir())):
                shutil.rmtree(folder, ignore_errors=True)


def _prefix() -> str:
    return f"transship-{os.geteuid()}-"


def _is_ours(folder: Path) -> bool:
    """Whether it has a name that we give, and an owner whose things we may remove."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    named = re.fullmatch(rf"{_prefix()}[0-9a-f]{{{_MARK_LENGTH}}}", folder.name)
    # Root gives the folder to the user that Postgres runs as, where namespaces are forbidden.
    owned = os.geteuid() in {0, found.st_uid}
    return named is not None and owned and stat.S_ISDIR(found.st_mode)


def _is_old(folder: Path) -> bool:
    return time.time() - folder.stat().st_mtime > STARTING_SECONDS


def _listens(file: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(0)
        try:
            connection.connect(str(file))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            # A full backlog, a socket of another type: somebody is there.
            return True
    return True
