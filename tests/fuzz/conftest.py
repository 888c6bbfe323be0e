"""An API process on a database of its own that holds a little of everything."""

from __future__ import annotations

import asyncio
import contextlib
import select
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import requests

from database import sealing
from jobservice.supervisor import process
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from jobservice.supervisor.embedded_valkey import EmbeddedValkey
from tests.acceptance.house import PASSWORD, names, policy
from tests.invariants import assert_hold

START_SECONDS = 60
NAME = "admin"
# Finished, failed and waiting tasks, so that what is listed and asked for is of every kind.
TASKS = """
INSERT INTO jobservice.tasks (execution_id, page, ordinal, job_type, queue, parameters, status,
                              error, result, started_at, ended_at)
SELECT (SELECT max(id) FROM jobservice.executions), 1, number, 'replication_transfer', 'transfer',
       '{"source_repository": "a", "destination_repository": "b", "tags": ["1"], "fresh": true,
         "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}',
       status, CASE WHEN status = 'failed' THEN '{"message": "no", "kind": "No"}'::jsonb END, NULL,
       CASE WHEN status <> 'pending' THEN now() END, CASE WHEN status <> 'pending' THEN now() END
FROM unnest(ARRAY['succeeded', 'failed', 'pending']) WITH ORDINALITY AS new (status, number)
"""
COUNTED = """
UPDATE jobservice.executions SET total = 3, succeeded = 1, failed = 1
WHERE id = (SELECT max(id) FROM jobservice.executions)
"""


@dataclass(frozen=True, slots=True)
class Served:
    """Where the API is and how to get in."""

    url: str
    dsn: str

    @property
    def api(self) -> str:
        return f"{self.url}/api/v2.0"

    @property
    def login(self) -> tuple[str, str]:
        return NAME, PASSWORD


@pytest.fixture(scope="session")
def served(
    postgres: EmbeddedPostgres, migrated_template: str, valkey: EmbeddedValkey
) -> Iterator[Served]:
    database = f"fuzz_{uuid.uuid4().hex}"
    clone = f'CREATE DATABASE "{database}" TEMPLATE "{migrated_template}" STRATEGY file_copy'
    execute(postgres.dsn("postgres"), clone)
    dsn = postgres.dsn(database)
    with tempfile.TemporaryDirectory(prefix="transship-fuzz-") as folder:
        settings = {
            "TRANSSHIP_POSTGRES_DSN": dsn,
            "TRANSSHIP_REDIS_DSN": valkey.dsn(),
            "TRANSSHIP_STORAGE": f"file://{folder}/storage",
            "TRANSSHIP_SECRET_KEY": sealing.generate_key(),
            "TRANSSHIP_ADMIN_PASSWORD": PASSWORD,
            "TRANSSHIP_LISTEN": "127.0.0.1:0",
            "HOME": folder,
        }
        (Path(folder) / "storage").mkdir()
        with _api(settings, Path(folder) / "log") as served:
            _furnish(served)
            execute(dsn, TASKS, COUNTED)
            yield served
    asyncio.run(assert_hold(dsn))
    execute(postgres.dsn("postgres"), f'DROP DATABASE "{database}" WITH (FORCE)')


@contextlib.contextmanager
def _api(settings: dict[str, str], log: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "jobservice.cli.main", "api"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            process.command(command, death_signal=signal.SIGKILL),
            env={**process.ENVIRONMENT, **settings},
            stdout=subprocess.PIPE,
            stderr=output,
        ) as running,
    ):
        try:
            assert running.stdout is not None
            ready, _, _ = select.select([running.stdout], [], [], START_SECONDS)
            line = running.stdout.readline().decode() if ready else ""
            assert line.startswith("ready "), log.read_text()
            yield Served(line.split()[1], settings["TRANSSHIP_POSTGRES_DSN"])
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(START_SECONDS)


def _furnish(served: Served) -> None:
    """Make an endpoint (the API itself), a policy and an execution."""
    source = {
        "name": "source",
        "type": "docker-registry",
        "url": served.url,
        "credential": {"type": "basic", "access_key": NAME, "access_secret": PASSWORD},
    }
    with requests.Session() as session:
        session.auth = served.login
        asked: tuple[tuple[str, Any], ...] = (
            ("registries", source),
            ("replication/policies", policy("one", source=1, filters=names("library/**"))),
            ("replication/executions", {"policy_id": 1}),
            ("labels", {"name": "stable", "scope": "g"}),
        )
        for path, body in asked:
            answer = session.post(f"{served.api}/{path}", json=body, timeout=START_SECONDS)
            assert answer.status_code == 201, answer.text


def execute(dsn: str, *statements: str) -> None:
    """Run statements, one after the other."""
    asyncio.run(_execute(dsn, *statements))


async def _execute(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
