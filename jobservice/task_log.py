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
_CONTROL = dict.fromkeys(range(32), " ") | {127: " "}


def line(event: Mapping[str, Any]) -> str:
    """Return the line people read: time, level, event, facts; without control characters."""
    facts = " ".join(f"{key}={value}" for key, value in event.items() if key not in _HIDDEN)
    head = f"{event.get('timestamp', '')} {event.get('level', 'info').upper():7} {event['event']}"
    text = f"{head} {facts}".rstrip().translate(_CONTROL)
    # What utf-8 or Postgres cannot hold.
    text = text.encode("utf-8", "replace").decode().replace("\x00", " ")
    return text if len(text) <= LINE_LIMIT else f"{text[:LINE_LIMIT]}… (cut)"


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
        if self._left_bytes <= 0:
            return
        text = line(event) + "\n"
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
