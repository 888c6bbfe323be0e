"""The servers and processes that are hit: each by its own cables, each under its own role."""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

from database import migrations, sealing
from jobservice.supervisor import process
from jobservice.supervisor.embedded_postgres import DATABASE, PORT, EmbeddedPostgres
from jobservice.supervisor.embedded_valkey import EmbeddedValkey
from tests.acceptance.house import PASSWORD
from tests.chaos import audit
from tests.fakes import cable
from tests.fakes.cable import Cable

ROOT = Path(__file__).parents[2]
PROGRAM = ("-m", "jobservice.cli.main")
WORKERS = 3
SLOTS = 3
START_SECONDS = 60.0
STOP_SECONDS = 40.0


@dataclass(slots=True)
class Worker:
    """One place for a worker process: whoever runs there has its cables and its role."""

    number: int
    postgres: Cable
    redis: Cable
    tree: Path = ROOT
    running: Process | None = None
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def role(self) -> str:
        """Under which name Postgres knows it."""
        return f"worker_{self.number}"

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid


@dataclass(slots=True)
class House:
    """Postgres, Valkey, an API and worker processes; every part can be hit and made whole."""

    folder: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    workers: list[Worker] = field(default_factory=list)
    url: str = ""
    key: str = field(default_factory=sealing.generate_key)
    role_password: str = field(default_factory=secrets.token_hex)
    api: Process | None = None
    more_settings: Mapping[str, str] = field(default_factory=dict)

    async def connect(self) -> Any:
        """Return a connection of our own to Postgres, past all cables; wait until there is one."""
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    return await asyncpg.connect(self.postgres.dsn())
                except (OSError, asyncpg.PostgresError):
                    await asyncio.sleep(0.1)

    async def start_api(self) -> None:
        """Start the API and wait until it serves."""
        listen = urlsplit(self.url).netloc or "127.0.0.1:0"
        settings = self._settings("api", self.postgres.dsn(), self.valkey.dsn())
        program = [*PROGRAM, "api", "--listen", listen]
        self.api = await self._spawn(program, settings, ROOT, stdout=PIPE)
        assert self.api.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = (await self.api.stdout.readline()).decode()
        assert line.startswith("ready http://"), f"the API said {line!r}; see {self.folder}/log"
        self.url = line.split()[1]

    async def start_worker(self, worker: Worker) -> None:
        """Start a process in this worker's place."""
        where = f"{worker.role}:{self.role_password}@127.0.0.1:{worker.postgres.port}"
        settings = self._settings(
            worker.role,
            f"postgresql://{where}/{DATABASE}",
            f"redis://127.0.0.1:{worker.redis.port}/0",
        )
        worker.running = await self._spawn([*PROGRAM, "worker"], settings, worker.tree)

    async def start_program(self, *arguments: str) -> Process:
        """Start a program of the tests that finds the installation as its own commands do."""
        settings = self._settings("program", self.postgres.dsn(), self.valkey.dsn())
        return await self._spawn(arguments, settings, ROOT)

    async def end(self, running: Process | None, how: signal.Signals) -> None:
        """End a process, and wait for it."""
        assert running is not None
        with suppress(ProcessLookupError):
            running.send_signal(how)
        async with asyncio.timeout(STOP_SECONDS):
            await running.wait()

    def ended_alone(self) -> list[str]:
        """Name the workers that ended without being told to."""
        return [
            f"{worker.role} ended by itself with code {worker.running.returncode}"
            for worker in self.workers
            if worker.running is not None and worker.running.returncode is not None
        ]

    async def heal(self) -> None:
        """Make whole what a trial left broken."""
        for worker in self.workers:
            worker.postgres.mend()
            worker.redis.mend()
            if worker.running is None or worker.running.returncode is not None:
                await self.start_worker(worker)
        for server in (self.postgres, self.valkey):
            if not server.alive():
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
        if self.api is None or self.api.returncode is not None:
            await self.start_api()

    def _settings(self, name: str, postgres_dsn: str, redis_dsn: str) -> dict[str, str]:
        return {
            "TRANSSHIP_POSTGRES_DSN": postgres_dsn,
            "TRANSSHIP_REDIS_DSN": redis_dsn,
            "TRANSSHIP_STORAGE": f"file://{quote(str(self.folder / 'storage'))}",
            "TRANSSHIP_SECRET_KEY": self.key,
            "TRANSSHIP_ADMIN_PASSWORD": PASSWORD,
            "TRANSSHIP_WORKER_SLOTS": str(SLOTS),
            "TRANSSHIP_KEEP_EXECUTIONS": "0",  # each message is an execution, and all are judged
            "TRANSSHIP_HOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
            "HOME": str(self.folder / name),
            **self.more_settings,
        }

    async def _spawn(
        self,
        arguments: Sequence[str],
        settings: dict[str, str],
        tree: Path,
        stdout: int | None = None,
    ) -> Process:
        program = [sys.executable, *arguments]
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *process.command(program, death_signal=signal.SIGKILL),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                env={**process.ENVIRONMENT, **settings, "PYTHONPATH": str(tree)},
                cwd=tree,
                start_new_session=True,
            )


@asynccontextmanager
async def built(folder: Path, *, postgres_folder: Path | None = None) -> AsyncIterator[House]:
    """Build a house and tear it down. Postgres may live in a folder of its own."""
    (folder / "storage").mkdir(parents=True)
    house = House(
        folder=folder,
        postgres=EmbeddedPostgres(folder=postgres_folder or folder / "pg", die_with_parent=True),
        valkey=EmbeddedValkey(folder=folder / "valkey", die_with_parent=True),
    )
    async with AsyncExitStack() as stack:
        for server in (house.postgres, house.valkey):
            await asyncio.to_thread(server.start)
            stack.push_async_callback(asyncio.to_thread, server.stop)
        await migrations.apply(house.postgres.dsn())
        for number in range(1, WORKERS + 1):
            house.workers.append(
                Worker(
                    number=number,
                    postgres=await stack.enter_async_context(cable.laid(_to_postgres(house))),
                    redis=await stack.enter_async_context(cable.laid(_to_valkey(house))),
                )
            )
        await audit.prepare(house)
        stack.push_async_callback(_end_all, house)
        await house.heal()
        yield house


async def _end_all(house: House) -> None:
    for running in (house.api, *(worker.running for worker in house.workers)):
        if running is not None and running.returncode is None:
            await house.end(running, signal.SIGKILL)


def _to_postgres(house: House) -> cable.Dial:
    sockets = parse_qs(urlsplit(house.postgres.dsn()).query)["host"][0]
    return lambda: asyncio.open_unix_connection(f"{sockets}/.s.PGSQL.{PORT}")


def _to_valkey(house: House) -> cable.Dial:
    return lambda: asyncio.open_unix_connection(str(house.valkey.socket))
