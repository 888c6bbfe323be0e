"""Registries to compare: `transship up`, docker-registry, distribution v3 as Go built it."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench import service, tools
from bench.processes import children, command_line, cpu_seconds, resident_bytes
from bench.servers import CertificatePair, RegistryServer

OURS: Final = "transship"
OURS_TWICE: Final = "transship, `--api 2`"
DEBIAN: Final = "docker-registry 2.8"
DISTRIBUTION: Final = "distribution v3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A registry that is measured: where, who may, and its processes."""

    name: str
    host: str
    pid: int
    authorization: str | None = None
    encrypted: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """What every request to it carries."""
        return {"Authorization": self.authorization} if self.authorization else {}

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes so far, its database's too."""
        return sum(cpu_seconds(pid) for pid in (self.pid, *children(self.pid)))

    def memory_bytes(self) -> int:
        """Return what its largest process holds, its database left out."""
        everything = (self.pid, *children(self.pid))
        return max(resident_bytes(pid) for pid in everything if not is_database(pid))


@contextmanager
def subjects(against: Sequence[str]) -> Iterator[list[Subject]]:
    """Start ours, and of the others that are here those that are meant."""
    with ExitStack() as stack:
        found = [
            ours(stack.enter_context(service.installation("--workers", "0", *more)), name)
            for name, more in ((OURS, ()), (OURS_TWICE, ("--api", "2")))
            if name == OURS or _is_meant(name, against)
        ]
        for name, program in _others(against):
            server = stack.enter_context(RegistryServer(program=program))
            found.append(Subject(name=name, host=server.host, pid=server.pid))
        yield found


@contextmanager
def encrypted(against: Sequence[str]) -> Iterator[list[Subject]]:
    """Start ours, and those that are meant, with TLS."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="transship-bench-")))
        pair = CertificatePair.make(folder)
        options = ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
        up = stack.enter_context(service.installation("--workers", "0", *options))
        found = [replace(ours(up, OURS), encrypted=True)]
        for name, program in _others(against):
            server = stack.enter_context(RegistryServer(program=program, pair=pair))
            found.append(Subject(name=name, host=server.host, pid=server.pid, encrypted=True))
        yield found


def ours(up: service.Service, name: str) -> Subject:
    """Return an installation as something to measure."""
    login = base64.b64encode(f"admin:{up.password}".encode()).decode()
    return Subject(name=name, host=up.host, pid=up.pid, authorization=f"Basic {login}")


def is_database(pid: int) -> bool:
    """Say whether a process is an embedded server's."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return command_line(pid)[0].rpartition("/")[2].startswith(("postgres", "valkey"))
    return True


def _is_meant(name: str, against: Sequence[str]) -> bool:
    return not against or any(part in name for part in against)


def _others(against: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield those that are here; Go's is distribution/v3/cmd/registry."""
    for name, program in (
        (DEBIAN, "docker-registry"),
        (DISTRIBUTION, tools.GO_PROGRAMS / "registry"),
    ):
        found = shutil.which(program)
        if found is not None and _is_meant(name, against):
            yield name, found
