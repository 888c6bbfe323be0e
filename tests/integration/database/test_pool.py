from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import asyncpg
import pytest

from database import migrations, pool, sealing
from database.errors import DatabaseRefused, DatabaseUnavailable, WrongKey
from database.pool import Database


async def test_jsonb_is_read_and_written_as_values(database: Database) -> None:
    async with database.connection() as connection:
        value = await connection.fetchval("SELECT $1::jsonb", {"a": [1, None, "ü"]})
    assert value == {"a": [1, None, "ü"]}


async def test_a_transaction_rolls_back_on_an_error(database: Database) -> None:
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _create_and_fail(database)
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT to_regclass('here')") is None


async def _create_and_fail(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE here (id int)")
        await connection.execute("SELECT 1 / 0")


async def test_a_killed_connection_is_replaced(database: Database, dsn: str) -> None:
    async with database.connection() as connection:
        victim = await connection.fetchval("SELECT pg_backend_pid()")
    killer = await asyncpg.connect(dsn)
    await killer.fetchval("SELECT pg_terminate_backend($1, 5000)", victim)
    await killer.close()
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT pg_backend_pid()") != victim


@pytest.mark.parametrize("in_transaction", [True, False])
async def test_a_connection_that_dies_under_a_statement_is_said_to_be_unavailable(
    database: Database, *, in_transaction: bool
) -> None:
    borrowed = database.transaction if in_transaction else database.connection
    with pytest.raises(DatabaseUnavailable, match="went away under a statement"):
        async with borrowed() as connection:
            await connection.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")
    async with borrowed() as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_fault_of_ours_is_not_blamed_on_postgres(database: Database) -> None:
    with pytest.raises(OSError, match="our own"):
        async with database.transaction():
            raise OSError("our own")
    with pytest.raises(asyncpg.QueryCanceledError):
        await _take_too_long(database)


async def _take_too_long(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL statement_timeout = 1")
        await connection.execute("SELECT pg_sleep(5)")


async def test_notifications_arrive_and_survive_a_lost_connection(
    database: Database, dsn: str
) -> None:
    connected = asyncio.Event()
    payloads: asyncio.Queue[str] = asyncio.Queue()

    def remember(_channel: str, payload: str) -> None:
        payloads.put_nowait(payload)

    listener = asyncio.ensure_future(database.listen("bell", remember, on_connect=connected.set))
    try:
        async with asyncio.timeout(10):
            await connected.wait()
            await _notify(dsn, "first")
            assert await payloads.get() == "first"
            connected.clear()
            await _end_listeners(dsn)
            await connected.wait()
            await _notify(dsn, "second")
            assert await payloads.get() == "second"
    finally:
        listener.cancel()
        await asyncio.wait([listener])


async def _notify(dsn: str, payload: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("SELECT pg_notify('bell', $1)", payload)
    await connection.close()


async def _end_listeners(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name LIKE '%listener' AND datname = current_database()"
    )
    await connection.close()


async def test_a_server_that_is_not_there_is_one_sentence(unused_tcp_port: int) -> None:
    with pytest.raises(DatabaseUnavailable, match="did not answer within"):
        await Database.connect(f"postgres://127.0.0.1:{unused_tcp_port}/x", patience_seconds=0.2)


async def test_migrations_wait_for_no_server_that_refuses_them(dsn: str) -> None:
    nowhere = urlsplit(dsn)._replace(path="/nowhere").geturl()
    with pytest.raises(DatabaseRefused, match="check its user, password and database"):
        await migrations.pending(nowhere)
    with pytest.raises(DatabaseRefused, match="check its user, password and database"):
        await Database.connect(nowhere)


async def test_a_migration_says_in_a_sentence_that_there_is_no_server(unused_tcp_port: int) -> None:
    with pytest.raises(DatabaseUnavailable, match="check TRANSSHIP_POSTGRES_DSN"):
        await pool.connect_once(
            f"postgres://127.0.0.1:{unused_tcp_port}/x", application_name="x", patience_seconds=0.2
        )


async def test_migrations_are_applied_once(dsn: str) -> None:
    assert await migrations.pending(dsn) == []
    assert await migrations.apply(dsn) == []


async def test_a_wrong_key_is_noticed_by_the_canary(database: Database) -> None:
    right = sealing.Keyring([sealing.generate_key()])
    async with database.connection() as connection:
        await sealing.check_canary(connection, right)
        await sealing.check_canary(connection, right)
        with pytest.raises(WrongKey, match="TRANSSHIP_SECRET_KEY is not the key"):
            await sealing.check_canary(connection, sealing.Keyring([sealing.generate_key()]))
