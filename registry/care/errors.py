"""What ends the care of a registry with a sentence.

CareError
├── NotAStorage       there is no storage of another registry where one was named
├── NotAdoptable      it is one, and cannot be adopted by this registry
├── BackupInUse       another backup is being made in the same place
├── BackupLapsed      the database was away too long: objects were not held back meanwhile
├── NoBackup          there is no finished backup where one was named
├── BrokenBackup      what is there is not what was written
└── NotRestorable     it is sound, and cannot be restored here as asked
"""

from __future__ import annotations


class CareError(Exception):
    """The root; the message says what to do."""


class NotAStorage(CareError):
    """Nothing that this program can read as another registry's storage."""


class NotAdoptable(CareError):
    """A storage that cannot be taken over as asked."""


class BackupInUse(CareError):
    """Two backups into one place take turns."""


class BackupLapsed(CareError):
    """Call it again: what was copied is there."""


class NoBackup(CareError):
    """Nothing to restore."""


class BrokenBackup(CareError):
    """Files are missing or have changed."""


class NotRestorable(CareError):
    """A newer version's, or there is something already."""
