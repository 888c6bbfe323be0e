"""A `transship up` of a test: started as a user would, always ended."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib import request

from config import environment

DEADLINE_SECONDS = 60
CHILDREN = re.compile(r"^PPid:\s+(\d+)$", re.MULTILINE)


@dataclass(slots=True, kw_only=True)
class Up:
    """The process and what it said."""

    process: subprocess.Popen[str]
    data: Path
    url: str

    @property
    def password(self) -> str:
        return (self.data / "admin-password").read_text().strip()

    def get(self, path: str) -> Any:
        with request.urlopen(self.url + path, timeout=DEADLINE_SECONDS) as answer:  # noqa: S310 - our own http address
            body = answer.read()
        return json.loads(body) if body.startswith((b"{", b"[")) else body

    def command(
        self,
        *arguments: str,
        stdin: str = "",
        check: bool = True,
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run another command against this server."""
        known = {
            "TRANSSHIP_URL": self.url,
            "TRANSSHIP_USERNAME": "admin",
            "TRANSSHIP_PASSWORD": self.password,
            "TRANSSHIP_CONTEXTS": str(self.data / "contexts.json"),
        }
        return subprocess.run(
            transship(*arguments),
            env=surroundings() | known | dict(variables or {}),
            input=stdin,
            capture_output=True,
            text=True,
            check=check,
            timeout=DEADLINE_SECONDS,
        )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


def transship(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "jobservice.cli.main", *arguments]


def surroundings() -> dict[str, str]:
    """This process's environment without settings of its own."""
    return {
        name: value
        for name, value in environment.read().items()
        if not name.startswith("TRANSSHIP_")
    }


@contextmanager
def up(data: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Start one on a free port and wait for its ready line."""
    process = subprocess.Popen(
        transship("up", "--data", str(data), "--listen", "127.0.0.1:0", *arguments),
        env=surroundings() | dict(variables or {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            assert line.startswith("ready http"), f"`up` said {line!r}"
            yield Up(process=process, data=data, url=line.split()[1])
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE_SECONDS)


def descendants(pid: int) -> set[int]:
    """Process ids of everything below a process."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found = CHILDREN.search((folder / "status").read_text())
        except OSError:
            continue
        if found:
            parents[int(folder.name)] = int(found[1])
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return below - {pid}
