"""What the kernel says of processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


_GONE: Final = (FileNotFoundError, ProcessLookupError)


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process so far, its threads included; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except _GONE:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICK


def cpu_seconds_with_ended(pid: int) -> float:
    """Return the processor time of a process so far and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except _GONE:
        return 0.0
    return sum(map(int, fields[11:15])) / _TICK


def resident_bytes(pid: int) -> int:
    """Return what a process holds in memory now; 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except _GONE:
        return 0


def children(pid: int) -> Iterator[int]:
    """Yield the processes that a process started, and theirs."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        found = [int(it) for task in tasks for it in (task / "children").read_text().split()]
    except _GONE:
        return
    for child in found:
        yield child
        yield from children(child)


def command_line(pid: int) -> list[str]:
    """Return what a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
