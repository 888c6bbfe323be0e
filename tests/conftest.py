"""Real servers for every test that wants one: `dsn`, `database` and `valkey_url`.

Each pytest process (each xdist worker) starts one Postgres and one Valkey of its own, only when
the first test asks. A test gets a database cloned from a migrated template, and a flushed Valkey.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import hypothesis
import pytest
import pytest_asyncio
import redis

from database import migrations
from database.pool import Database
from jobservice.supervisor import embedded_postgres, embedded_valkey
from tests.fakes import s3

TEMPLATE = "template_migrated"

# How long an example takes says more about what else the machine does than about the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_configure(config: pytest.Config) -> None:
    """Give skopeo somewhere to look for logins: without one it asks root's /run/containers."""
    if "XDG_RUNTIME_DIR" not in os.environ:  # noqa: TID251 - what a login session gives its programs
        folder = tempfile.TemporaryDirectory(prefix="transship-runtime-")
        config.add_cleanup(folder.cleanup)
        os.environ["XDG_RUNTIME_DIR"] = folder.name  # noqa: TID251 - as above


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A short path of its own: sockets have little room, and pytest keeps its folders for days."""
    with tempfile.TemporaryDirectory(prefix="transship-test-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres(server_folder: Path) -> Iterator[embedded_postgres.EmbeddedPostgres]:
    server = embedded_postgres.EmbeddedPostgres(
        folder=server_folder / "postgres", durable=False, die_with_parent=True
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def migrated_template(postgres: embedded_postgres.EmbeddedPostgres) -> str:
    """Name of a database that every migration has been applied to."""
    await _as_admin(postgres, f'CREATE DATABASE "{TEMPLATE}"')
    await migrations.apply(postgres.dsn(TEMPLATE))
    return TEMPLATE


@pytest.fixture
async def dsn(
    postgres: embedded_postgres.EmbeddedPostgres, migrated_template: str
) -> AsyncIterator[str]:
    """URL of a database that is this test's alone, migrated and empty."""
    name = f"test_{uuid.uuid4().hex}"
    clone = f'CREATE DATABASE "{name}" TEMPLATE "{migrated_template}" STRATEGY file_copy'
    await _as_admin(postgres, clone)
    try:
        yield postgres.dsn(name)
    finally:
        await _as_admin(postgres, f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A pool on this test's database."""
    pool = await Database.connect(dsn, application_name="transship-test", max_size=5)
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
def valkey(server_folder: Path) -> Iterator[embedded_valkey.EmbeddedValkey]:
    server = embedded_valkey.EmbeddedValkey(
        folder=server_folder / "valkey", durable=False, die_with_parent=True
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def valkey_url(valkey: embedded_valkey.EmbeddedValkey) -> str:
    """URL (`unix://…`) of a Valkey that holds nothing."""
    with redis.Redis.from_url(valkey.dsn()) as client:
        client.flushall()
    return valkey.dsn()


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """URL of an S3."""
    with s3.running() as url:
        yield url


@pytest.fixture
async def s3_proxy(moto: str) -> AsyncIterator[s3.Proxy]:
    """A way to it that may fail."""
    async with s3.proxied(moto) as proxy:
        yield proxy


async def _as_admin(postgres: embedded_postgres.EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
