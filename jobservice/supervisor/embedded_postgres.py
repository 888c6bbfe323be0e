"""A PostgreSQL of our own: made, started, adopted and stopped by us, on a unix socket only."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jobservice.supervisor import errors, folders, identity, process, programs, socket_folders

USER = "transship"
DATABASE = "transship"
PORT = 5432
START_TIMEOUT_SECONDS = 60.0
STOP_TIMEOUT_SECONDS = 30.0
LONGEST_SOCKET_NAME = f".s.PGSQL.{PORT}.lock"
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "log_min_messages": "warning",
    "timezone": "UTC",
}
# For data that nobody misses after a power cut: the tests'.
SETTINGS_WITHOUT_DURABILITY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


@dataclass(frozen=True, slots=True)
class _Postmaster:
    """The lines of postmaster.pid that matter (PostgreSQL: src/include/utils/pidfile.h)."""

    pid: int
    socket_folder: str
    ready: bool


@dataclass(slots=True, kw_only=True)
class EmbeddedPostgres:
    """One PostgreSQL whose data, password and log live in `folder`."""

    folder: Path
    durable: bool = True
    die_with_parent: bool = False
    _running: process.Process | None = None
    _sockets: str = ""

    @property
    def data(self) -> Path:
        """The PGDATA folder."""
        return self.folder / "data"

    def dsn(self, database: str = DATABASE) -> str:
        """URL of a database of the running server; holds the password."""
        password = self._password_file.read_text().strip()
        where = quote(self._sockets, safe="/")
        return f"postgresql://{USER}:{password}@/{database}?host={where}&port={PORT}"

    def start(self) -> None:
        """Make the data folder if there is none, then start the server or adopt the one running.

        Returns when it accepts connections. Raises NoPrograms, CannotStart, WrongFolder.
        """
        folders.private(self.folder)
        who = identity.choose(self.data)
        if who.how is process.How.USER:
            # That user has to pass through to its data; nothing else in there is readable.
            self.folder.chmod(0o711)
            self.folder.parent.chmod(0o711)
        if not self._adopt():
            self._start_new(who)

    def stop(self) -> None:
        """Stop it fast: open transactions are rolled back, everything committed is kept."""
        if self._running is not None:
            self._running.stop(signal.SIGINT, timeout_seconds=STOP_TIMEOUT_SECONDS)
            self._running = None
            socket_folders.give_back(Path(self._sockets))

    def running_dsn(self) -> str | None:
        """URL of the server if it runs, whoever started it."""
        return self.dsn() if self._accepts() else None

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._running is not None and self._running.alive()

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def _password_file(self) -> Path:
        return self.folder / "password"

    def _adopt(self) -> bool:
        found = self._postmaster()
        if found is None:
            return False
        self._running = process.Process(found.pid)
        self._wait()
        return True

    def _start_new(self, who: process.Identity) -> None:
        there = self.data / "PG_VERSION"
        major = int(there.read_text()) if there.exists() else None
        found = programs.find_postgres(major)
        found = identity.reachable(found, who, copies=self.folder)
        if major is None:
            self._make_data(found, who)
        self._forget_reused_pid()
        self._running = process.spawn(
            [found.postgres, "-D", self.data, *self._settings(who)],
            log=self._log,
            identity=who,
            die_with_parent=self.die_with_parent,
        )
        self._wait()

    def _forget_reused_pid(self) -> None:
        """Drop the pid file when its pid is another program's by now; Postgres would not start.

        Otherwise it stays: Postgres finds in it whether backends of a killed server still live.
        """
        left = self.data / "postmaster.pid"
        if left.exists() and process.exists(int(left.read_text().split("\n", 1)[0])):
            left.unlink()

    def _settings(self, who: process.Identity) -> list[str]:
        sockets = socket_folders.make(
            self.folder / "run",
            longest_name=LONGEST_SOCKET_NAME,
            given_to=who.uid if who.how is process.How.USER else None,
        )
        if who.how is process.How.USER:
            os.chown(sockets, who.uid, who.gid)
        settings = {**SETTINGS, "unix_socket_directories": str(sockets)}
        if not self.durable:
            settings |= SETTINGS_WITHOUT_DURABILITY
        return [term for name, value in settings.items() for term in ("-c", f"{name}={value}")]

    def _wait(self) -> None:
        running = self._running
        if running is None:
            return
        process.wait_until_ready(
            running,
            self._accepts,
            name="PostgreSQL",
            log=self._log,
            timeout_seconds=START_TIMEOUT_SECONDS,
        )

    def _accepts(self) -> bool:
        found = self._postmaster()
        if found is None or not found.ready:
            return False
        self._sockets = found.socket_folder
        return True

    def _postmaster(self) -> _Postmaster | None:
        """The living server of this very folder, by its pid file and its working directory."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
            home = Path(f"/proc/{pid}/cwd").readlink()
        except (FileNotFoundError, ProcessLookupError, PermissionError, IndexError, ValueError):
            return None
        if home != self.data.resolve():
            return None
        # pid, data, start time, port, socket folder, listen address, shared memory, status
        lines += [""] * (8 - len(lines))
        return _Postmaster(pid=pid, socket_folder=lines[4], ready=lines[7].strip() == "ready")

    def _make_data(self, found: programs.PostgresPrograms, who: process.Identity) -> None:
        """Make the data folder whole or not at all."""
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        folders.write_secret(self._password_file, secrets.token_urlsafe(24) + "\n")
        if who.how is process.How.USER:
            os.chown(partial, who.uid, who.gid)
            self._make_cluster(found, who, partial)
        else:
            self._make_cluster(found, who, partial)
        partial.rename(self.data)

    def _make_cluster(
        self, found: programs.PostgresPrograms, who: process.Identity, partial: Path
    ) -> None:
        password = self.folder / "password.once"
        folders.write_secret(password, self._password_file.read_text())
        if who.how is process.How.USER:
            os.chown(password, who.uid, who.gid)
        try:
            answer = process.run(
                [
                    *(found.initdb, "-D", partial, "--username", USER, "--pwfile", password),
                    *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale"),
                    *("--data-checksums", *([] if self.durable else ["--no-sync"])),
                ],
                identity=who,
            )
        finally:
            password.unlink()
        self._check(answer.returncode, answer.stdout, doing="initdb")
        answer = process.run(
            [found.postgres, "--single", "-D", partial, "postgres"],
            identity=who,
            stdin=f"CREATE DATABASE {DATABASE}\n".encode(),
        )
        self._check(answer.returncode, answer.stdout, doing=f"creating database {DATABASE}")

    def _check(self, code: int, output: bytes, *, doing: str) -> None:
        if code != 0:
            words = " / ".join(output.decode(errors="replace").splitlines()[-5:])
            raise errors.CannotStart(f"{doing} in {self.folder} ended with {code}: {words}")
