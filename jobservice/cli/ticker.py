"""How far long work is, on standard error: a line that changes on a terminal, else one at times."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final

TERMINAL_SECONDS: Final = 0.2
LOG_SECONDS: Final = 30.0


class Ticker:
    """Shows what `text` says, not too often."""

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text
        self._terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0 if self._terminal else LOG_SECONDS)

    def tick(self) -> None:
        """Show it if it is time."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + (TERMINAL_SECONDS if self._terminal else LOG_SECONDS)
            self._write(self._text(), end="" if self._terminal else "\n")

    def clear(self) -> None:
        """Make room for a line of results."""
        if self._terminal:
            self._write("", end="")

    def _write(self, text: str, *, end: str) -> None:
        start = "\r\x1b[K" if self._terminal else "transship: "
        print(f"{start}{text}", end=end, file=sys.stderr, flush=True)  # noqa: T201 - our voice
