"""The whole database into a file and back, by PostgreSQL's own programs.

A dump is what one snapshot sees. A restore is one transaction: whoever looks meanwhile sees what
was there before, and when it fails nothing has changed.
"""

from __future__ import annotations

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from database.errors import DumpFailed

SCHEMAS: Final = ("access", "database", "jobservice", "registry")
_PIECE_BYTES: Final = 1024 * 1024
_LAST_WORDS: Final = 2000
# Nothing of the caller's environment reaches a program: PGHOST and its like would steer it.
_ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """A folder with pg_dump, pg_restore and psql, of one major version."""

    folder: Path
    major: int


async def dump(
    programs: Programs,
    dsn: str,
    file: IO[bytes],
    *,
    snapshot: str,
    without_rows_of: Sequence[str] = (),
) -> None:
    """Write what an exported snapshot sees, compressed; raise DumpFailed.

    The file is written by this process: the program ends with it.
    """
    arguments = ["--format=custom", "--compress=6", "--no-owner", "--no-privileges"]
    arguments += [f"--schema={name}" for name in SCHEMAS]
    arguments += [f"--exclude-table-data={name}" for name in without_rows_of]
    arguments += [f"--snapshot={snapshot}", "--no-password"]
    address, environment = without_password(dsn)
    command = [str(programs.folder / "pg_dump"), *arguments, f"--dbname={address}"]
    async with _running(command, environment) as process:
        async for piece in _output(process):
            await asyncio.to_thread(file.write, piece)


async def restore(programs: Programs, dsn: str, dump_file: Path, *, afterwards: str) -> None:
    """Put a dump in the place of everything that is there, then run SQL; raise DumpFailed.

    One transaction: it counts only when all of it is through.
    """
    read = [str(programs.folder / "pg_restore"), "--file=-", "--no-owner", "--no-privileges"]
    address, environment = without_password(dsn)
    write = [str(programs.folder / "psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    write += ["--no-password", f"--dbname={address}"]
    async with _running(write, environment, takes_input=True) as psql:
        await _send(psql, f"SET client_min_messages = warning;\nBEGIN;\n{_DROP}".encode())
        async with _running([*read, str(dump_file)], {}) as pg_restore:
            async for piece in _output(pg_restore):
                await _send(psql, piece)
        await _send(psql, f"\n{afterwards}\nCOMMIT;\n".encode())


_DROP = f"DROP SCHEMA IF EXISTS {', '.join(SCHEMAS)} CASCADE;\n"


def without_password(dsn: str) -> tuple[str, Mapping[str, str]]:
    """Return the DSN without its password, and that as a variable: command lines are readable."""
    url = urlsplit(dsn)
    user, at, host = url.netloc.rpartition("@")
    name, colon, password = user.partition(":")
    bare = urlunsplit(url._replace(netloc=f"{name}{at}{host}"))
    # urlunsplit leaves `//` out where there is no host, and libpq wants it.
    bare = bare if "://" in bare else bare.replace(f"{url.scheme}:", f"{url.scheme}://", 1)
    return bare, {"PGPASSWORD": unquote(password)} if colon else {}


@asynccontextmanager
async def _running(
    command: Sequence[str], environment: Mapping[str, str], *, takes_input: bool = False
) -> AsyncIterator[Process]:
    """Run a program beside what is done with it; raise DumpFailed unless it ends well."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=PIPE if takes_input else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL if takes_input else PIPE,
        stderr=PIPE,
        env={**_ENVIRONMENT, **environment},
    )
    assert process.stderr is not None  # noqa: S101 it is a pipe
    words = asyncio.ensure_future(process.stderr.read())
    try:
        yield process
        if process.stdin is not None:
            process.stdin.close()
        code = await process.wait()
    except BrokenPipeError:  # it ended early, and says why
        if not takes_input:
            raise
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        said = (await words).decode(errors="replace").strip()[-_LAST_WORDS:]
    if code != 0:
        raise DumpFailed(f"{Path(command[0]).name} ended with {code}: {said or 'no word'}")


async def _output(process: Process) -> AsyncIterator[bytes]:
    assert process.stdout is not None  # noqa: S101 it is a pipe
    while piece := await process.stdout.read(_PIECE_BYTES):
        yield piece


async def _send(process: Process, piece: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 it was asked to take input
    process.stdin.write(piece)
    try:
        await process.stdin.drain()
    except ConnectionResetError as error:
        raise BrokenPipeError from error
