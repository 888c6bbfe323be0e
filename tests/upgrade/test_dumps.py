"""A database that any earlier release left becomes one of this release, and all invariants hold."""

from __future__ import annotations

import gzip
import subprocess
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

from database import migrations
from jobservice.supervisor import process, programs
from jobservice.supervisor.embedded_postgres import EmbeddedPostgres
from tests import invariants
from tests.upgrade import releases
from tests.upgrade.releases import Release

RELEASES = releases.read()
ENDED = "SELECT count(*) FROM jobservice.executions WHERE status = 'succeeded'"
FINISHED = "SELECT count(*) FROM jobservice.tasks WHERE status = 'succeeded' AND NOT is_plan"


@pytest.fixture
async def empty_dsn(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database without any schema."""
    name = f"upgrade_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        yield postgres.dsn(name)
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


def restore(release: Release, dsn: str) -> None:
    done = subprocess.run(
        [programs.find_postgres(None).folder / "psql", "--quiet", "--set=ON_ERROR_STOP=1", dsn],
        input=gzip.decompress(release.dump.read_bytes()),
        env=process.ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.word)
async def test_what_a_release_left_is_migrated(release: Release, empty_dsn: str) -> None:
    restore(release, empty_dsn)
    connection = await asyncpg.connect(empty_dsn)
    try:
        before = await connection.fetchval(ENDED), await connection.fetchval(FINISHED)
        assert min(before) > 0
        await migrations.apply(empty_dsn)
        assert await migrations.pending(empty_dsn) == []
        assert (await connection.fetchval(ENDED), await connection.fetchval(FINISHED)) == before
    finally:
        await connection.close()
    await invariants.assert_hold(empty_dsn, at_rest=True)


def test_every_release_has_its_dump_and_every_dump_its_release() -> None:
    dumps = {path.name for path in releases.FOLDER.glob("*.sql.gz")}
    assert dumps == {release.dump.name for release in RELEASES}
