"""Many short texts in little memory."""

from __future__ import annotations

from array import array


class Texts:
    """A list of texts that lie behind one another; the last one may grow."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("q")

    def append(self, text: str) -> None:
        """Add a text."""
        self._bytes += text.encode()
        self._ends.append(len(self._bytes))

    def extend(self, text: str) -> None:
        """Make the last text longer."""
        self._bytes += text.encode()
        self._ends[-1] = len(self._bytes)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = self._ends[index - 1] if index else 0
        return self._bytes[start : self._ends[index]].decode()
