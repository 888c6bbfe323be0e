"""Files that get a second name instead of being copied. All of it may wait for the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

# Another filesystem, a file that we may not link (fs.protected_hardlinks), too many links, none.
_UNLINKABLE: Final = frozenset({errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP})


def hard(original: Path, second: Path) -> bool:
    """Give a file a second name; False where that cannot be. The name's folder is not synced."""
    original = original.resolve()
    descriptor = os.open(original, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
        os.link(original, second)
    except OSError as error:
        if error.errno not in _UNLINKABLE:
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def symbolic(original: Path, second: Path) -> None:
    """Let a name lead to a file. The name's folder is not synced."""
    second.symlink_to(original.resolve())


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
