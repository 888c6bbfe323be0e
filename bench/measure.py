"""Run one command and say what it took: wall clock, processor, memory, requests."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

_KIBIBYTE = 1024


class CommandFailed(Exception):
    """A measured command did not end well; the message has its last words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one command."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    source_requests: int = 0
    destination_requests: int = 0

    @property
    def requests(self) -> int:
        """Requests to both registries."""
        return self.source_requests + self.destination_requests

    def with_requests(self, source: int, destination: int) -> Run:
        """Return it with the requests that both registries saw."""
        return replace(self, source_requests=source, destination_requests=destination)

    def to_json(self) -> dict[str, Any]:
        """Return the numbers."""
        return {**asdict(self), "requests": self.requests}


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Run:
    """Run a command to its end; raise CommandFailed unless it exits with 0."""
    measured, _ = run_and_read(command, environment)
    return measured


def run_and_read(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> tuple[Run, str]:
    """Run a command to its end and return what it wrote, too; raise CommandFailed likewise.

    Memory is the largest of the process and its children as the kernel counts it, which begins
    with what this process has (some 25 MiB): smaller programs look as large as that.
    """
    with tempfile.TemporaryFile() as output:
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - what is measured
            list(command), stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode(errors="replace")
        if process.returncode != 0:
            end = said[-2000:]
            raise CommandFailed(f"{' '.join(command)} exited with {process.returncode}: {end}")
    measured = Run(
        wall_seconds=wall,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_bytes=usage.ru_maxrss * _KIBIBYTE,
    )
    return measured, said
