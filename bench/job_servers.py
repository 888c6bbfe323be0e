"""An embedded PostgreSQL and Valkey for the job service's rows, and processes that work on them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import redis

from bench import tools
from database import migrations
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from jobservice.supervisor.embedded_valkey import EmbeddedValkey

_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Both, as `transship up` runs them: Postgres waits for its disk."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey

    async def new_database(self, name: str, *, migrated: bool) -> str:
        """Make a database anew; return its DSN."""
        connection = await asyncpg.connect(self.postgres.dsn("postgres"))
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await connection.execute(f'CREATE DATABASE "{name}"')
        finally:
            await connection.close()
        dsn = self.postgres.dsn(name)
        if migrated:
            await migrations.apply(dsn)
        return dsn

    def new_redis(self) -> str:
        """Forget everything in Valkey; return its DSN."""
        with redis.Redis.from_url(self.valkey.dsn()) as client:
            client.flushall()
        return self.valkey.dsn()


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both, end both."""
    with tempfile.TemporaryDirectory(prefix="transship-bench-") as folder:
        postgres = EmbeddedPostgres(folder=Path(folder) / "postgres", die_with_parent=True)
        valkey = EmbeddedValkey(folder=Path(folder) / "valkey", durable=False, die_with_parent=True)
        postgres.start()
        try:
            valkey.start()
            try:
                yield Servers(postgres=postgres, valkey=valkey)
            finally:
                valkey.stop()
        finally:
            postgres.stop()


@contextmanager
def workers(count: int, module: str, *arguments: str) -> Iterator[Sequence[int]]:
    """Run so many processes of a module of this folder; hand out their ids, end them politely."""
    command = [sys.executable, "-m", module, *arguments]
    with tempfile.TemporaryFile() as log:
        running = [
            subprocess.Popen(command, cwd=tools.ROOT, stdout=log, stderr=log)  # noqa: S603  ours
            for _ in range(count)
        ]
        try:
            yield [process.pid for process in running]
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(_STOP_SECONDS)
