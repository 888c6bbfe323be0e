"""A running task's log: lines are collected here and written to Postgres once a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobservice.store.logs import Chunk

LIMIT_BYTES = 1024 * 1024
LINE_LIMIT = 4096
CHUNK_BYTES = 128 * 1024
# Known from the task itself, or of use to a program only.
_HIDDEN = frozenset({"timestamp", "level", "event", "execution", "task", "attempt", "logger"})
# Shown as what they are: a terminal must not obey them, and no line may look like two, or like
# another one (C0, C1, line separators, and what turns the direction of writing).
_CONTROL = {
    code: repr(chr(code))[1:-1]
    for code in (
        *range(32),
        *range(127, 160),
        0x061C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
}


def line(event: Mapping[str, Any]) -> str:
    """Return the line people read: time, level, event, facts; control characters escaped."""
    facts = " ".join(f"{key}={_cut(value)}" for key, value in event.items() if key not in _HIDDEN)
    level = str(event.get("level", "info")).upper()
    head = f"{event.get('timestamp', '')} {level:7} {_cut(event['event'])}"
    return printable(f"{head} {facts}")


def printable(text: str) -> str:
    """Return a line that is one line, not too long, and does nothing to a terminal."""
    text = text.rstrip()[: LINE_LIMIT + 1].translate(_CONTROL)
    # What utf-8 cannot hold.
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= LINE_LIMIT else f"{text[:LINE_LIMIT]}… (cut)"


def _cut(value: object) -> str:
    return str(value)[: LINE_LIMIT + 1]


class TaskLog:
    """The log of one claim, capped at LIMIT_BYTES."""

    def __init__(self, *, task_id: int, fence: int) -> None:
        self._task_id = task_id
        self._fence = fence
        self._lines: list[str] = []
        self._left_bytes = LIMIT_BYTES
        self._sequence = 0

    def write(self, event: Mapping[str, Any]) -> None:
        """Add a line; the last one that fits says that the rest is missing."""
        if self._left_bytes > 0:
            self._add(line(event))

    def show(self, text: str) -> None:
        """Add a line as it is, for what people read from top to bottom."""
        if self._left_bytes > 0:
            self._add(printable(text))

    def _add(self, printed: str) -> None:
        text = printed + "\n"
        self._left_bytes -= len(text.encode())
        if self._left_bytes <= 0:
            text = f"the log is cut here: it reached {LIMIT_BYTES} bytes\n"
        self._lines.append(text)

    def take(self) -> list[Chunk]:
        """Return what was written since the last call, in chunks."""
        chunks: list[Chunk] = []
        lines, self._lines = self._lines, []
        while lines:
            text, lines = _filled(lines)
            self._sequence += 1
            chunks.append(
                Chunk(task_id=self._task_id, fence=self._fence, sequence=self._sequence, text=text)
            )
        return chunks


def _filled(lines: list[str]) -> tuple[str, list[str]]:
    size = 0
    for count, text in enumerate(lines):
        size += len(text.encode())
        if size > CHUNK_BYTES and count:
            return "".join(lines[:count]), lines[count:]
    return "".join(lines), []
