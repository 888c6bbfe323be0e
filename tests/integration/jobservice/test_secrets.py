"""A password is where it is sealed, and nowhere else: not in rows, Redis, logs or answers."""

from __future__ import annotations

import asyncio
import base64

import pytest
import redis.asyncio as redis

from database.pool import Database
from jobservice import executions
from jobservice.domain.endpoint import CredentialType, EndpointSettings
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.policy import PolicySnapshot
from jobservice.store import endpoints
from tests.fakes.registry.authentication import Door
from tests.fakes.registry.faults import Fault
from tests.integration.jobservice.test_replication import House, house

__all__ = ["house"]

USERNAME = "robot"
PASSWORD = "sentinel-Passw0rd-7f3a"
ENCODED = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()

TABLES = """
SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name
FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')
"""


async def everything_in_postgres(database: Database) -> str:
    async with database.connection() as connection:
        names = [row["name"] for row in await connection.fetch(TABLES)]
        assert "jobservice.task_log_chunks" in names
        found = [
            row["text"]
            for name in names
            for row in await connection.fetch(f"SELECT t::text AS text FROM {name} AS t")  # noqa: S608  from the catalogue
        ]
    return "\n".join(found)


async def everything_in_redis(url: str) -> bytes:
    async with redis.Redis.from_url(url) as client:
        found = [key async for key in client.scan_iter()]
        return b"\n".join([*found, *[await client.dump(key) for key in found]])


async def lock_the_source(house: House, snapshot: PolicySnapshot) -> None:
    """Lock the source and seal the way in."""
    house.source.door = Door(scheme="basic", guards_ping=True, username=USERNAME, password=PASSWORD)
    source = snapshot.source
    sealed = house.connector.seal(source.endpoint_id, PASSWORD)
    settings = EndpointSettings(
        name=source.name,
        kind=source.kind,
        url=source.url,
        credential_type=CredentialType.BASIC,
        access_key=USERNAME,
    )
    async with house.jobs.database.connection() as connection:
        await endpoints.update(connection, source.endpoint_id, settings, sealed)


def assert_hidden(text: str) -> None:
    assert PASSWORD not in text
    assert ENCODED not in text


async def test_a_password_is_nowhere_but_sealed(
    house: House,
    capsys: pytest.CaptureFixture[str],
    product_logging: None,  # noqa: ARG001  after capsys, so that it logs to what is captured
) -> None:
    house.source.repository("app").put_image("1", layers=(b"x" * 500_000,))
    house.source.repository("bad").put_image("1", layers=(b"one",))
    snapshot = await house.snapshot()
    await lock_the_source(house, snapshot)
    hold = Fault(method="GET", kind="blob", drip_bytes=64 * 1024, hold=asyncio.Event())
    held = house.source.faults.add(hold)
    house.source.faults.answer("GET", "blob", 403, times=1, skip=1)
    async with house.worker():
        execution_id = await house.start(snapshot)
        async with asyncio.timeout(20):
            await held.reached.wait()
        assert_hidden((await everything_in_redis(house.valkey_url)).decode("latin-1"))
        assert hold.hold is not None
        hold.hold.set()
        execution = await house.jobs.ended(execution_id)
    assert execution.status is ExecutionStatus.FAILED
    assert execution.succeeded == 1
    rows = await everything_in_postgres(house.jobs.database)
    assert "task_failed" in rows
    assert_hidden(rows)
    assert_hidden((await everything_in_redis(house.valkey_url)).decode("latin-1"))
    logged = capsys.readouterr().err
    assert "task_failed" in logged
    assert_hidden(logged)
    for task in await house.jobs.tasks(execution_id):
        assert_hidden(repr(task))
    assert_hidden(repr(await executions.account(house.jobs.database, execution_id)))
