"""A Valkey (or Redis) of our own: started, adopted and stopped by us, on a unix socket only."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from jobservice.supervisor import folders, process, programs, socket_folders

START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 30.0
ANSWER_TIMEOUT_SECONDS = 1.0
SOCKET_NAME = "valkey.sock"


@dataclass(slots=True, kw_only=True)
class EmbeddedValkey:
    """One Valkey whose append-only file and log live in `folder`."""

    folder: Path
    durable: bool = True
    die_with_parent: bool = False
    _running: process.Process | None = None

    @property
    def socket(self) -> Path:
        """Its only door."""
        return self._sockets / SOCKET_NAME

    def dsn(self) -> str:
        """URL for redis-py and arq."""
        return f"unix://{self.socket}?db=0"

    def start(self) -> None:
        """Start the server, or adopt the one that runs; returns when it answers.

        Raises NoPrograms and CannotStart.
        """
        folders.private(self.folder)
        if (pid := self._living()) is not None:
            self._running = process.Process(pid)
        else:
            self._start_new()
        process.wait_until_ready(
            self._running or process.Process(0),
            self._answers,
            name="Valkey",
            log=self._log,
            timeout_seconds=START_TIMEOUT_SECONDS,
        )

    def stop(self) -> None:
        """Stop it; what it was told is on disk."""
        if self._running is not None:
            self._running.stop(signal.SIGTERM, timeout_seconds=STOP_TIMEOUT_SECONDS)
            self._running = None
            socket_folders.give_back(self._sockets)

    def alive(self) -> bool:
        """Whether the server process runs."""
        return self._running is not None and self._running.alive()

    @property
    def _sockets(self) -> Path:
        return socket_folders.path(self.folder / "run", longest_name=SOCKET_NAME)

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "pid"

    def _start_new(self) -> None:
        socket_folders.make(self.folder / "run", longest_name=SOCKET_NAME)
        self.socket.unlink(missing_ok=True)
        data = folders.private(self.folder / "data")
        self._running = process.spawn(
            [
                *(programs.find_valkey(), "--port", "0"),
                *("--unixsocket", self.socket, "--unixsocketperm", "700"),
                *("--dir", data, "--appendonly", "yes" if self.durable else "no"),
                *("--save", "", "--maxmemory-policy", "noeviction", "--daemonize", "no"),
            ],
            log=self._log,
            die_with_parent=self.die_with_parent,
        )
        self._pid_file.write_text(f"{self._running.pid}\n")

    def _living(self) -> int | None:
        """Process id of the server of this very folder, by its pid file and working directory."""
        try:
            pid = int(self._pid_file.read_text())
            home = Path(f"/proc/{pid}/cwd").readlink()
        except (FileNotFoundError, ProcessLookupError, PermissionError, ValueError):
            return None
        return pid if home == (self.folder / "data").resolve() else None

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_TIMEOUT_SECONDS)
                connection.connect(str(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False
