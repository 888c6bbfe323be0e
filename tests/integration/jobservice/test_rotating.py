"""A new key comes in while everything runs, and the old one is not needed afterwards."""

from __future__ import annotations

import pytest

from database import sealing
from database.errors import WrongKey
from database.pool import Connection, Database
from database.sealing import Keyring
from jobservice import rotating
from jobservice.domain.endpoint import EndpointSettings, secret_context
from jobservice.rotating import Rotation
from jobservice.store import endpoints, sealed

OLD, NEW = sealing.generate_key(), sealing.generate_key()
SEALED_COLUMNS = """
SELECT table_schema || '.' || table_name AS table, column_name AS column
FROM information_schema.columns WHERE data_type = 'bytea' AND column_name LIKE '%\\_sealed'
"""


async def add(connection: Connection, name: str, keyring: Keyring | None) -> int:
    endpoint_id = await endpoints.next_id(connection)
    context = secret_context(endpoint_id)
    secret = keyring.seal(name.encode(), context=context) if keyring else None
    settings = EndpointSettings(name=name, kind="docker-registry", url="http://127.0.0.1")
    await endpoints.insert(connection, endpoint_id, settings, secret)
    return endpoint_id


async def opened(connection: Connection, endpoint_id: int, keyring: Keyring) -> bytes:
    stored = await endpoints.get(connection, endpoint_id)
    assert stored is not None
    assert stored.access_secret_sealed is not None
    return keyring.open(stored.access_secret_sealed, context=secret_context(endpoint_id))


async def test_every_secret_opens_with_the_new_key_alone(database: Database) -> None:
    count = sealed.PAGE_ROWS + 5
    async with database.connection() as connection:
        await sealing.check_canary(connection, Keyring([OLD]))
        ids = [await add(connection, f"old-{number}", Keyring([OLD])) for number in range(count)]
        ids.append(await add(connection, "new", Keyring([NEW])))
        await add(connection, "without", None)
        assert await rotating.rotate(database, Keyring([NEW, OLD])) == Rotation(
            secrets=count + 1, resealed=count
        )
        found = [await opened(connection, each, Keyring([NEW])) for each in ids]
        assert found == [*(b"old-%d" % number for number in range(count)), b"new"]
        await sealing.check_canary(connection, Keyring([NEW]))
        with pytest.raises(WrongKey):
            await sealing.check_canary(connection, Keyring([OLD]))
    again = await rotating.rotate(database, Keyring([NEW]))
    assert again == Rotation(secrets=count + 1, resealed=0)


async def test_without_the_old_key_nothing_is_touched(database: Database) -> None:
    async with database.connection() as connection:
        await sealing.check_canary(connection, Keyring([OLD]))
        endpoint_id = await add(connection, "kept", Keyring([OLD]))
        with pytest.raises(WrongKey, match="TRANSSHIP_SECRET_KEY is not the key"):
            await rotating.rotate(database, Keyring([NEW]))
        assert await opened(connection, endpoint_id, Keyring([OLD])) == b"kept"


async def test_a_secret_of_a_third_key_keeps_the_old_one_needed(database: Database) -> None:
    async with database.connection() as connection:
        await sealing.check_canary(connection, Keyring([OLD]))
        await add(connection, "lost", Keyring([sealing.generate_key()]))
        with pytest.raises(WrongKey, match=r"jobservice\.endpoints\.access_secret"):
            await rotating.rotate(database, Keyring([NEW, OLD]))
        await sealing.check_canary(connection, Keyring([OLD]))


async def test_every_sealed_column_of_the_schema_is_known(database: Database) -> None:
    async with database.connection() as connection:
        rows = await connection.fetch(SEALED_COLUMNS)
    known = {(one.table, one.column) for one in sealed.COLUMNS}
    assert {(row["table"], row["column"]) for row in rows} == known
