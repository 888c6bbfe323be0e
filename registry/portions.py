"""How much of an upload is gathered before it is written.

Much at once is cheap: each piece costs a hop to a thread. Much of each of many is dear.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

PIECE_BYTES: Final = 2 * 1024 * 1024
ALL_UPLOADS_BYTES: Final = 16 * 1024 * 1024  # what is gathered of all of them


class Portions:
    """What the uploads of one process know of each other."""

    def __init__(self) -> None:
        self._uploads = 0

    @contextlib.contextmanager
    def upload(self) -> Iterator[None]:
        """Count one that is receiving."""
        self._uploads += 1
        try:
            yield
        finally:
            self._uploads -= 1

    @property
    def portion_bytes(self) -> int:
        """How much one of them gathers: less where there are many."""
        return min(PIECE_BYTES, ALL_UPLOADS_BYTES // max(1, self._uploads))
