"""The migration runner: numbered SQL files, applied once, in order, under an advisory lock.

Each file is one transaction, unless its first line is `-- no-transaction`; then its statements,
separated by lines that end in `;`, run one by one and must be repeatable. A database newer than
these files is fine: version N's schema serves processes of N-1 (DESIGN, promise 10).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import tenacity

from database import pool
from database.errors import MigrationChanged, MigrationMissing

_FILE_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_NO_TRANSACTION = "-- no-transaction"
_LOCK_KEY = 0x7472616E73686970  # "tranship" in ASCII
_LOCK_TIMEOUT = "10s"
_DEADLOCKS = 20

BOOTSTRAP = """
CREATE SCHEMA IF NOT EXISTS database;
CREATE TABLE IF NOT EXISTS database.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
IS_BOOTSTRAPPED = "SELECT to_regclass('database.migrations') IS NOT NULL"
SELECT_APPLIED = "SELECT number, name, checksum FROM database.migrations ORDER BY number"
RECORD = "INSERT INTO database.migrations (number, name, checksum) VALUES ($1, $2, $3)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One SQL file."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Identify the content."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def transactional(self) -> bool:
        """Whether it runs as one transaction."""
        return not self.sql.startswith(_NO_TRANSACTION)

    def statements(self) -> list[str]:
        """Split a file that runs without a transaction."""
        parts = re.split(r";[ \t]*(?:\n|\Z)", self.sql)
        return [part.strip() for part in parts if part.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """One row of `database.migrations`."""

    number: int
    name: str
    checksum: str


def known() -> list[Migration]:
    """Return the files of this version in order."""
    folder = resources.files("database") / "migrations"
    found = []
    for entry in folder.iterdir():
        if match := _FILE_NAME.fullmatch(entry.name):
            text = entry.read_text(encoding="utf-8")
            found.append(Migration(number=int(match[1]), name=entry.name, sql=text))
    return sorted(found, key=lambda migration: migration.number)


def outstanding(files: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """Return the files still to run; raise MigrationChanged or MigrationMissing."""
    numbers = [file.number for file in files]
    if len(set(numbers)) != len(numbers):
        raise MigrationMissing(f"two migration files carry the same number: {sorted(numbers)}")
    done = {row.number: row for row in applied}
    for file in files:
        row = done.get(file.number)
        if row is not None and row.checksum != file.checksum:
            raise MigrationChanged(
                f"migration {file.name} differs from what was applied as {row.name}; "
                "restore the file: an applied migration never changes"
            )
    _refuse_gaps(files, applied)
    return [file for file in files if file.number not in done]


def _refuse_gaps(files: Sequence[Migration], applied: Sequence[Applied]) -> None:
    newest_file = max((file.number for file in files), default=0)
    numbers = {file.number for file in files}
    for row in applied:
        if row.number <= newest_file and row.number not in numbers:
            raise MigrationMissing(
                f"the database was migrated by {row.name}, which this version does not have; "
                "install the version that wrote it or a newer one"
            )
    newest_applied = max((row.number for row in applied), default=0)
    done = {row.number for row in applied}
    for file in files:
        if file.number < newest_applied and file.number not in done:
            raise MigrationMissing(
                f"migration {file.name} was never applied, though {newest_applied:04d} was; "
                "migrations are numbered in the order they are released"
            )


async def pending(dsn: str) -> list[str]:
    """Return the names of the files that `apply` would run; change nothing."""
    async with _connected(dsn) as connection:
        files = outstanding(known(), await _applied(connection))
    return [file.name for file in files]


async def apply(dsn: str, files: Sequence[Migration] | None = None) -> list[str]:
    """Bring the schema up to `files`, or to date, and return the names of those that were run.

    Any number of processes may call it at once: one works, the others wait and find nothing to do.
    """
    async with _connected(dsn) as connection, _alone(connection):
        await connection.execute(BOOTSTRAP)
        files = outstanding(known() if files is None else files, await _applied(connection))
        for file in files:
            await _run(connection, file)
    return [file.name for file in files]


async def _applied(connection: Any) -> list[Applied]:
    if not await connection.fetchval(IS_BOOTSTRAPPED):
        return []
    return [Applied(**row) for row in await connection.fetch(SELECT_APPLIED)]


# Processes of the release before are at work: of a deadlock with one this gives way, so that their
# clients see none of it, and tries again.
@tenacity.retry(
    retry=tenacity.retry_if_exception_type(pool.CONFLICTS),
    stop=tenacity.stop_after_attempt(_DEADLOCKS),
    wait=tenacity.wait_random_exponential(multiplier=0.1, max=2),
    reraise=True,
)
async def _run(connection: Any, file: Migration) -> None:
    record = (file.number, file.name, file.checksum)
    if file.transactional:
        async with connection.transaction():
            # A migration that waits for a lock makes everybody wait behind it.
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
            await connection.execute(file.sql)
            await connection.execute(RECORD, *record)
        return
    for statement in file.statements():
        await connection.execute(statement)
    await connection.execute(RECORD, *record)


@contextlib.asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Any]:
    connection = await pool.connect_once(dsn, application_name="transship migrate")
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _alone(connection: Any) -> AsyncIterator[None]:
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
    try:
        yield
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK_KEY)
