"""Why something cannot come back.

UndeleteError
├── NotDeleted   nothing of that name was deleted, or its window is over
├── NotMissing   it is here, or another has its tag now
└── BytesGone    what it needs was deleted for good, or is not known
"""

from __future__ import annotations


class UndeleteError(Exception):
    """The root; the text says what to do."""


class NotDeleted(UndeleteError):
    """Nothing is known of it."""


class NotMissing(UndeleteError):
    """There is nothing to put back."""


class BytesGone(UndeleteError):
    """`missing` are the digests that it needs and that are not here."""

    def __init__(self, message: str, *, missing: tuple[str, ...]) -> None:
        super().__init__(message)
        self.missing = missing
