"""`transship up`: everything on this machine, from one command until a signal."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import settings as configuration
from config.settings import Settings
from database import migrations
from jobservice.supervisor import children, errors, folders, socket_folders
from jobservice.supervisor.children import Child, Stop
from jobservice.supervisor.household import Household, Server
from jobservice.tls import ServerTls

READY = "ready "
LOOK_AFTER_SERVERS_SECONDS = 1.0
RETRY_SERVER_SECONDS = 2.0
THIS_PROGRAM = (sys.executable, "-P", "-m", "jobservice.cli.main")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for."""

    folder: Path
    apis: int
    workers: int
    settings: Settings
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Where words go: `announce` the ready line, `tell` messages, `whisper` only to a terminal."""

    announce: Callable[[str], None]
    tell: Callable[[str], None]
    whisper: Callable[[str], None]


async def run(request: Request, voice: Voice) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises CertificateUnusable, SupervisorError or a database error when it cannot.
    """
    if request.settings.tls_cert:  # the API would say so, too, after everything else has started
        ServerTls(Path(request.settings.tls_cert), Path(request.settings.tls_key))
    folders.private(request.folder)
    with folders.locked(request.folder), _signals() as stop:
        socket_folders.tidy()
        household = Household.of(request.folder, request.settings)
        try:
            for server in household.servers().values():
                await asyncio.to_thread(server.start)
            complete = household.complete_settings(voice.tell)
            _whisper_password(household, complete, voice)
            await _migrate(complete)
            if not stop.asked.is_set():
                await _serve(request, complete, household, stop, voice)
        finally:
            for server in reversed(list(household.servers().values())):
                await asyncio.to_thread(server.stop)


@contextmanager
def _signals() -> Iterator[Stop]:
    loop, stop = asyncio.get_running_loop(), Stop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.signalled)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _whisper_password(household: Household, complete: Settings, voice: Voice) -> None:
    if household.settings.admin_password is None and complete.admin_password is not None:
        voice.whisper(f"user admin, password {complete.admin_password.get_secret_value()}")


async def _migrate(complete: Settings) -> None:
    if complete.postgres_dsn is not None:
        await migrations.apply(complete.postgres_dsn.get_secret_value())


async def _serve(
    request: Request, complete: Settings, household: Household, stop: Stop, voice: Voice
) -> None:
    """Keep children and servers until the stop; the children end before the servers do."""
    front = _Front(request, complete, stop, voice)
    # The end of a terminal is a SIGHUP, too: there it goes on ending `up`.
    if complete.tls_cert and not sys.stdin.isatty():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, front.reload)
    worker_environment = _environment(request, complete)
    # Workers have the servers until they have ended, whatever ends them.
    async with asyncio.TaskGroup() as group:
        group.create_task(front.keep())
        for number in range(1, request.apis):
            group.create_task(front.keep_another(number))
        for number in range(1, request.workers + 1):
            worker = Child(
                name=f"worker {number}",
                program=(*THIS_PROGRAM, "worker"),
                environment=lambda: worker_environment,
                # On the death of `up` a worker still hands its tasks back.
                death_signal=signal.SIGTERM,
                on_line=lambda _line: None,
            )
            group.create_task(children.keep(worker, stop, tell=voice.tell))
        for name, server in household.servers().items():
            group.create_task(_look_after(name, server, stop, voice.tell))


def _environment(request: Request, complete: Settings) -> dict[str, str]:
    surroundings = configuration.without_settings(request.environment)
    return surroundings | complete.as_environment()


class _Front:
    """The API's children; the first says where it listens, and all keep that place."""

    def __init__(self, request: Request, complete: Settings, stop: Stop, voice: Voice) -> None:
        self._request = request
        self._settings = complete.model_copy(update={"listen_shared": request.apis > 1})
        self._stop = stop
        self._voice = voice
        self._is_ready = False
        self._first_is_known = asyncio.Event()  # to serve, or to have failed
        self._reloads = [asyncio.Event() for _ in range(request.apis)]

    def reload(self) -> None:
        """Have them read their certificate again; before they serve there is nothing to read."""
        if self._is_ready:
            for reload in self._reloads:
                reload.set()

    async def keep(self) -> None:
        """Run the first; its first end before it was ever ready is the end of `up`."""
        child = self._child(0, "the API")
        try:
            code = await children.run_once(child, self._stop)
        finally:
            self._first_is_known.set()
        if self._stop.asked.is_set():
            return
        if not self._is_ready:
            raise errors.CannotStart(f"the API ended with code {code} before it was ready")
        self._voice.tell(f"the API ended with code {code}; it starts again")
        await children.keep(child, self._stop, tell=self._voice.tell)

    async def keep_another(self, number: int) -> None:
        """Run one more at the same place, once the first has found it."""
        await self._first_is_known.wait()
        child = self._child(number, f"API {number + 1}")
        await children.keep(child, self._stop, tell=self._voice.tell)

    def _child(self, number: int, name: str) -> Child:
        return Child(
            name=name,
            program=(*THIS_PROGRAM, "api"),
            environment=lambda: _environment(self._request, self._settings),
            # Nothing to hand back, and the next `up` wants its port.
            death_signal=signal.SIGKILL,
            on_line=self._heard if number == 0 else lambda _line: None,
            reload=self._reloads[number],
        )

    def _heard(self, line: str) -> None:
        if not line.startswith(READY) or self._is_ready:
            return
        self._is_ready = True
        address = line.removeprefix(READY).strip()
        port = address.rpartition(":")[2]
        host = self._settings.listen.rpartition(":")[0]
        self._settings = self._settings.model_copy(update={"listen": f"{host}:{port}"})
        self._first_is_known.set()
        self._voice.announce(READY + address)


async def _look_after(name: str, server: Server, stop: Stop, tell: Callable[[str], None]) -> None:
    """Start the embedded server again when it dies."""
    while not await stop.within(LOOK_AFTER_SERVERS_SECONDS):
        if server.alive():
            continue
        tell(f"{name} is gone; it starts again")
        try:
            await asyncio.to_thread(server.start)
        except errors.CannotStart as error:
            tell(str(error))
            await stop.within(RETRY_SERVER_SECONDS)
