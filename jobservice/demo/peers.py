"""The registries around the demo: instances of this one, and docker-registry where it is."""

from __future__ import annotations

import asyncio
import re
import secrets
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from jobservice.demo import programs
from jobservice.demo.programs import Program
from jobservice.supervisor.programs import SYSTEM_PATH
from jobservice.supervisor.up import THIS_PROGRAM
from protocol.credential import Credential

_READY = re.compile(r"^ready (http://\S+)$", re.MULTILINE)
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_CONFIGURATION = """\
version: 0.1
log: {{level: info}}
storage:
  filesystem: {{rootdirectory: {folder}}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:0"}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A registry that runs: where, what it is, and how to get in."""

    url: str
    what: str
    credential: Credential | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is an instance of this registry, which wants projects."""
        return self.credential is not None


def docker_registry() -> Path | None:
    """Return Debian's registry server, or None where it is not installed."""
    found = shutil.which("docker-registry", path=SYSTEM_PATH)
    return None if found is None else Path(found)


@asynccontextmanager
async def instance(
    folder: Path, *, layout_roots: tuple[Path, ...] = (), keep: bool = False
) -> AsyncGenerator[Peer]:
    """Run `transship up` with data of its own on a free port."""
    await asyncio.to_thread(folder.mkdir)
    credential = Credential(username="admin", password=secrets.token_urlsafe(18))
    program = Program(
        command=[*THIS_PROGRAM, "up", "--data", folder / "data", "--listen", "127.0.0.1:0"],
        announces=_READY,
        log=folder / "log",
        environment={
            "TRANSSHIP_ADMIN_PASSWORD": credential.password,
            "TRANSSHIP_LAYOUT_ROOTS": ":".join(map(str, layout_roots)),
            "HOME": str(folder),
        },
    )
    async with programs.running(program, keep=keep) as url:
        yield Peer(url=url, what="transship", credential=credential)


@asynccontextmanager
async def debian(folder: Path, program: Path, *, keep: bool = False) -> AsyncGenerator[Peer]:
    """Run docker-registry with data of its own on a free port."""
    configuration = await asyncio.to_thread(_configure, folder)
    command = Program(
        command=[program, "serve", configuration],
        announces=_LISTENING,
        log=folder / "log",
        environment={},
    )
    async with programs.running(command, keep=keep) as address:
        yield Peer(url=f"http://{address}", what="docker-registry")


def _configure(folder: Path) -> Path:
    folder.mkdir()
    quoted = "'" + str(folder / "data").replace("'", "''") + "'"
    configuration = folder / "config.yml"
    configuration.write_text(_CONFIGURATION.format(folder=quoted))
    return configuration
