"""The servers under our supervision: adopted, restarted, remembered."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
import redis

from jobservice.supervisor import embedded_postgres, embedded_valkey, errors, folders


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="transship-test-") as path:
        yield Path(path)


@pytest.fixture
def own_postgres(folder: Path) -> Iterator[embedded_postgres.EmbeddedPostgres]:
    """In a folder whose path has a space and is too long for a socket."""
    server = embedded_postgres.EmbeddedPostgres(
        folder=folder / f"a folder {'x' * 90}" / "postgres", die_with_parent=True
    )
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_valkey(folder: Path) -> Iterator[embedded_valkey.EmbeddedValkey]:
    server = embedded_valkey.EmbeddedValkey(folder=folder / "valkey", die_with_parent=True)
    server.start()
    yield server
    server.stop()


async def query(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_database_is_cloned_for_every_test(dsn: str) -> None:
    assert str(await query(dsn, "SELECT current_database()")).startswith("test_")


def test_valkey_is_empty_for_every_test(valkey_url: str) -> None:
    with redis.Redis.from_url(valkey_url) as client:
        assert client.dbsize() == 0


async def test_postgres_keeps_its_data_and_password_over_a_restart(
    own_postgres: embedded_postgres.EmbeddedPostgres,
) -> None:
    await query(own_postgres.dsn(), "CREATE TABLE kept (value int)")
    before = own_postgres.dsn()
    own_postgres.stop()
    assert not own_postgres.alive()
    own_postgres.start()
    assert own_postgres.dsn() == before
    assert await query(own_postgres.dsn(), "SELECT count(*) FROM kept") == 0


async def test_a_second_supervisor_adopts_the_postgres_that_runs(
    own_postgres: embedded_postgres.EmbeddedPostgres,
) -> None:
    started = await query(own_postgres.dsn(), "SELECT pg_postmaster_start_time()::text")
    second = embedded_postgres.EmbeddedPostgres(folder=own_postgres.folder)
    second.start()
    assert await query(second.dsn(), "SELECT pg_postmaster_start_time()::text") == started
    second.stop()
    assert not own_postgres.alive()


async def test_postgres_wants_its_password(
    own_postgres: embedded_postgres.EmbeddedPostgres,
) -> None:
    password = own_postgres.dsn().split(":")[2].split("@")[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(own_postgres.dsn().replace(password, "wrong"), "SELECT 1")


async def test_postgres_starts_though_its_old_pid_is_another_program_now(
    own_postgres: embedded_postgres.EmbeddedPostgres,
) -> None:
    own_postgres.stop()
    (own_postgres.data / "postmaster.pid").write_text(f"{os.getpid()}\n{own_postgres.data}\n")
    own_postgres.start()
    assert await query(own_postgres.dsn(), "SELECT 1") == 1


def test_data_of_a_postgres_that_is_not_installed_is_refused(
    own_postgres: embedded_postgres.EmbeddedPostgres,
) -> None:
    own_postgres.stop()
    (own_postgres.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(errors.NoPrograms, match="made by PostgreSQL 12"):
        own_postgres.start()


def test_valkey_keeps_what_it_was_told_over_a_kill(
    own_valkey: embedded_valkey.EmbeddedValkey,
) -> None:
    with redis.Redis.from_url(own_valkey.dsn()) as client:
        client.set("kept", "1")
    own_valkey.stop()
    own_valkey.start()
    with redis.Redis.from_url(own_valkey.dsn()) as client:
        assert client.get("kept") == b"1"


def test_a_second_supervisor_adopts_the_valkey_that_runs(
    own_valkey: embedded_valkey.EmbeddedValkey,
) -> None:
    second = embedded_valkey.EmbeddedValkey(folder=own_valkey.folder)
    second.start()
    second.stop()
    assert not own_valkey.alive()


def test_valkey_listens_on_no_port(own_valkey: embedded_valkey.EmbeddedValkey) -> None:
    with redis.Redis.from_url(own_valkey.dsn()) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_a_locked_folder_names_its_holder(folder: Path) -> None:
    with (
        folders.locked(folder),
        pytest.raises(errors.FolderInUse, match=str(os.getpid())),
        folders.locked(folder),
    ):
        pass


def test_sockets_and_data_are_private(own_postgres: embedded_postgres.EmbeddedPostgres) -> None:
    where = own_postgres.dsn().split("host=")[1].split("&")[0]
    assert Path(where).stat().st_mode & 0o077 == 0
    assert own_postgres.data.stat().st_mode & 0o077 == 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"{where}/.s.PGSQL.5432")


async def test_stopped_servers_leave_no_folder_of_sockets(
    own_postgres: embedded_postgres.EmbeddedPostgres, folder: Path
) -> None:
    valkey = embedded_valkey.EmbeddedValkey(folder=folder / "a space", die_with_parent=True)
    valkey.start()
    postgres_sockets = Path(own_postgres.dsn().split("host=")[1].split("&")[0])
    both = (postgres_sockets, valkey.socket.parent)
    assert all(sockets.parent == Path(tempfile.gettempdir()) for sockets in both)
    own_postgres.stop()
    valkey.stop()
    assert not any(sockets.exists() for sockets in both)


def test_a_folder_that_was_given_to_another_user_may_be_his(folder: Path) -> None:
    path = folders.private(folder / "run")
    if os.geteuid() != 0:
        pytest.skip("only root gives folders away")
    os.chown(path, 65534, 65534)
    assert folders.private(path, given_to=65534) == path
    with pytest.raises(errors.WrongFolder):
        folders.private(path)


def test_a_dead_server_is_noticed_and_started_again(
    own_valkey: embedded_valkey.EmbeddedValkey,
) -> None:
    with redis.Redis.from_url(own_valkey.dsn()) as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGKILL)
    own_valkey.stop()
    own_valkey.start()
    assert own_valkey.alive()
