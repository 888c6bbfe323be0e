"""What ends the care of a registry with a sentence.

CareError
├── NotAStorage       there is no storage of another registry where one was named
└── NotAdoptable      it is one, and cannot be adopted by this registry
"""

from __future__ import annotations


class CareError(Exception):
    """The root; the message says what to do."""


class NotAStorage(CareError):
    """Nothing that this program can read as another registry's storage."""


class NotAdoptable(CareError):
    """A storage that cannot be taken over as asked."""
