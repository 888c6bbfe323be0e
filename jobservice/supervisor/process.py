"""Start, watch and stop one server process; also one that an earlier supervisor started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from jobservice.supervisor import errors, launch

READY_POLL_SECONDS = 0.01
# Nothing of the caller's environment reaches a server: PGDATA and its like would steer it.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class How(StrEnum):
    """The way a program comes to run under an identity it accepts."""

    DIRECT = "direct"
    NAMESPACE = "namespace"
    USER = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a program runs as; `uid` and `gid` mean nothing when `how` is direct."""

    how: How = How.DIRECT
    uid: int = 0
    gid: int = 0


DIRECT = Identity()


@dataclass(slots=True)
class Process:
    """A running process; `child` is None when somebody else started it."""

    pid: int
    child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def alive(self) -> bool:
        """Whether it still runs."""
        if self.child is not None:
            return self.child.poll() is None
        return exists(self.pid)

    def stop(self, signal_number: signal.Signals, *, timeout_seconds: float) -> None:
        """Send the signal and wait; SIGKILL to a process that has not ended in time."""
        if send(self.pid, signal_number) and not self._ended_within(timeout_seconds):
            send(self.pid, signal.SIGKILL)
            self._ended_within(timeout_seconds)
        if self.child is not None:
            self.child.wait()

    def _ended_within(self, timeout_seconds: float) -> bool:
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return len(poll.poll(timeout_seconds * 1000)) > 0
        finally:
            os.close(descriptor)


def exists(pid: int) -> bool:
    """Whether a process with this id runs, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def send(pid: int, signal_number: signal.Signals) -> bool:
    """Send a signal; False when the process is gone already."""
    try:
        os.kill(pid, signal_number)
    except ProcessLookupError:
        return False
    return True


def command(
    program: Sequence[str | Path],
    *,
    identity: Identity = DIRECT,
    death_signal: signal.Signals | None = None,
) -> list[str]:
    """Command line that runs `program` as `identity`; a `death_signal` makes it die with us."""
    parent = os.getpid() if death_signal is not None else 0
    number = int(death_signal or 0)
    before = [sys.executable, "-I", "-S", launch.__file__]
    terms = [parent, number, identity.how.value, identity.uid, identity.gid, *program]
    return before + [str(term) for term in terms]


def spawn(
    program: Sequence[str | Path],
    *,
    log: Path,
    identity: Identity = DIRECT,
    die_with_parent: bool = False,
) -> Process:
    """Start a server in a session of its own, its output appended to `log`."""
    death_signal = signal.SIGINT if die_with_parent else None
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - programs we found ourselves, no shell
            command(program, identity=identity, death_signal=death_signal),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
        )
    return Process(child.pid, child)


def run(
    program: Sequence[str | Path], *, identity: Identity = DIRECT, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end; output of both streams in `stdout`."""
    return subprocess.run(  # noqa: S603 - programs we found ourselves, no shell
        command(program, identity=identity),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=ENVIRONMENT,
        cwd="/",
        check=False,
    )


def wait_until_ready(
    process: Process, ready: Callable[[], bool], *, name: str, log: Path, timeout_seconds: float
) -> None:
    """Wait until `ready` says so; raises CannotStart with the log's last lines when it does not."""
    deadline = time.monotonic() + timeout_seconds
    while not ready():
        if not process.alive():
            raise errors.CannotStart(f"{name} ended while starting; {last_words(log)}")
        if time.monotonic() > deadline:
            waited = f"{name} was not ready after {timeout_seconds:.0f} s"
            raise errors.CannotStart(f"{waited}; {last_words(log)}")
        # Bounded by the deadline above; neither server offers anything to wait on.
        time.sleep(READY_POLL_SECONDS)


def last_words(log: Path, *, lines: int = 5) -> str:
    """Say where the log is and quote its end."""
    try:
        tail = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        tail = []
    quoted = " / ".join(line.strip() for line in tail) or "nothing"
    return f"its log {log} ends with: {quoted}"
