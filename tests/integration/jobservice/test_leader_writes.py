"""Whatever the leader writes carries its fence: who was replaced meanwhile writes nothing.

The two tables below are complete, or a test says what is missing.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from config import settings
from database.pool import Connection, Database
from database.sealing import Keyring, generate_key
from jobservice import chores, store
from jobservice.composing import Parts
from jobservice.connecting import Connector
from jobservice.domain.task import Claimed, TaskStatus
from jobservice.errors import NotLeading
from jobservice.maintenance.leader import Leader
from jobservice.maintenance.service import Service
from jobservice.store import dispatching, leader, rescuing
from jobservice.store.dispatching import Delivery
from jobservice.store.leader import Leadership
from jobservice.store.sweeping import Keep
from protocol.transport import Transport
from registry.service import Registry
from registry.storage.filesystem import FilesystemStorage
from tests.integration.jobservice.conftest import Jobs, claimed, settled

pytestmark = pytest.mark.usefixtures("planted")

OLD, NEW = 1, 2
KEEP = Keep(executions=100, days=90, log_days=30, log_bytes=0)
TABLES = """
SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name
FROM information_schema.tables
WHERE table_type = 'BASE TABLE' AND table_schema IN ('access', 'jobservice', 'registry')
ORDER BY 1
"""
LATE = "SELECT count(*) FROM access.projects WHERE name = 'late'"
QUEUE = """
UPDATE jobservice.tasks SET status = 'queued', delivery = delivery + 1, dispatched_at = now()
WHERE id = $1 RETURNING delivery
"""
WORK = {
    "uploads_expired": """
        WITH project AS (INSERT INTO access.projects (name) VALUES ('p') RETURNING id),
        repository AS (INSERT INTO registry.repositories (project_id, name)
                       SELECT id, 'p/r' FROM project RETURNING id)
        INSERT INTO registry.uploads (id, repository_id, storage_key, expires_at)
        SELECT gen_random_uuid(), id, gen_random_uuid(), now() - interval '1 day' FROM repository
        """,
    "objects_deleted": """
        INSERT INTO registry.tombstones (storage_key, reason)
        VALUES (gen_random_uuid(), 'cancelled')
        """,
    "garbage_collected": """
        INSERT INTO registry.blobs (digest, size_bytes, storage_key)
        VALUES ('\\x01' || sha256('a'), 1, gen_random_uuid());
        UPDATE registry.gc_queue SET review_after = now()
        """,
    "delays_kept": "UPDATE registry.gc_delays SET delay = interval '1 second'",
    "untagged_queued": """
        INSERT INTO registry.project_settings (project_id, untagged_keep_days, untagged_queued_to)
        SELECT id, 3, 0 FROM access.projects LIMIT 1
        """,
    "partials_swept": "SELECT 1",  # see `parts`: a file that no row knows
    "endpoint_checks": """
        INSERT INTO jobservice.endpoints (name, kind, url)
        VALUES ('gone', 'docker-registry', 'http://127.0.0.1:1')
        """,
    "scheduler": """
        INSERT INTO jobservice.schedules (vendor_type, vendor_id, cron, next_fire_time,
                                          next_fire_at)
        VALUES ('replication', 4711, '0 0 0 1 1 *', now(), now())
        """,
    "sweeper": """
        INSERT INTO jobservice.workers (host, pid, version, job_types, slots, heartbeat_at)
        VALUES ('dead', 1, '1', '{}', '{}', now() - interval '2 days')
        """,
    "event_triggers": """
        SET session_replication_role = replica;
        INSERT INTO jobservice.changes (policy_id, repository, reference, digest, is_gone,
                                        first_at, last_at)
        VALUES (4711, 'p/r', '1', 'sha256:0', false, now() - interval '1 hour',
                now() - interval '1 hour');
        SET session_replication_role = DEFAULT
        """,
    "outbox_reader": """
        INSERT INTO jobservice.outbox (kind, facts) VALUES ('execution_ended', '{}')
        """,
    "overdue_watch": """
        INSERT INTO jobservice.schedules (vendor_type, vendor_id, cron, next_fire_time,
                                          next_fire_at, updated_at)
        VALUES ('test', 7, '0 0 * * * *', now() + interval '1 hour', now() + interval '1 hour',
                now() - interval '1 day')
        """,
}


async def one_task(connection: Connection) -> int:
    task_id: int = await connection.fetchval("SELECT id FROM jobservice.tasks")
    return task_id


async def queued(connection: Connection) -> Delivery:
    task_id = await one_task(connection)
    number = await connection.fetchval(QUEUE, task_id)
    return Delivery(task_id=task_id, number=number, queue="plan", zone=None)


async def running(connection: Connection, lease_seconds: float) -> Claimed:
    delivery = await queued(connection)
    task = await claimed(connection, delivery.task_id, delivery.number, lease_seconds=lease_seconds)
    assert task is not None
    return task


Act = Callable[[Connection, Leadership], Awaitable[object]]


async def a_pending_task(connection: Connection) -> Act:
    task_id = await one_task(connection)
    return lambda c, leadership: dispatching.take(c, leadership, [task_id])


async def a_task_whose_pause_is_over(connection: Connection) -> Act:
    assert await settled(connection, await running(connection, 25), TaskStatus.RETRYING)
    return dispatching.promote_retries


async def a_delivery_that_redis_lost(connection: Connection) -> Act:
    delivery = await queued(connection)
    return lambda c, leadership: dispatching.take_back(c, leadership, [delivery])


async def a_task_whose_worker_died(connection: Connection) -> Act:
    await running(connection, -1)
    return rescuing.rescue


async def nothing(_connection: Connection) -> Act:
    return leader.release


WRITES = {
    dispatching.take: a_pending_task,
    dispatching.promote_retries: a_task_whose_pause_is_over,
    dispatching.take_back: a_delivery_that_redis_lost,
    rescuing.rescue: a_task_whose_worker_died,
    leader.release: nothing,
}


async def everything(connection: Connection) -> dict[str, str]:
    """Return a digest of every table."""
    found = {}
    for row in await connection.fetch(TABLES):
        query = f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {row['name']} AS t"  # noqa: S608  names of tables
        found[row["name"]] = await connection.fetchval(query)
    return found


async def replaced(connection: Connection) -> Leadership:
    """Return what a worker holds that slept past its lease, while another took over."""
    old = await leader.acquire(connection, OLD, lease_seconds=-1)
    assert old is not None
    assert await leader.acquire(connection, NEW, lease_seconds=60) is not None
    return old


async def leading(connection: Connection) -> Leadership:
    held = await leader.acquire(connection, OLD, lease_seconds=60)
    assert held is not None
    return held


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.__name__)
@pytest.mark.parametrize("leads", [True, False])
async def test_a_write_of_the_leader_changes_nothing_once_another_leads(
    database: Database, jobs_at: Jobs, write: Act, *, leads: bool
) -> None:
    await jobs_at.start()
    async with database.connection() as connection:
        act = await WRITES[write](connection)
        leadership = await (leading if leads else replaced)(connection)
        before = await everything(connection)
        await act(connection, leadership)
        assert (await everything(connection) != before) is leads


def test_every_write_that_takes_a_leadership_is_in_the_table() -> None:
    modules = [
        importlib.import_module(f"{store.__name__}.{module.name}")
        for module in pkgutil.iter_modules(store.__path__)
    ]
    found = {
        function
        for module in modules
        for _, function in inspect.getmembers(module, inspect.iscoroutinefunction)
        if function.__module__ == module.__name__
        and "leadership" in inspect.signature(function).parameters
    }
    assert found - {leader.holds} == set(WRITES)


@pytest.fixture
async def parts(database: Database, dsn: str, valkey_url: str, tmp_path: Path) -> Parts:
    keyring, transport = Keyring([generate_key()]), Transport()
    storage = FilesystemStorage(tmp_path)
    abandoned = tmp_path / "partial" / uuid4().hex
    abandoned.touch()
    os.utime(abandoned, (0, 0))
    registry = Registry(database, storage)
    return Parts(
        settings=settings.load({}),
        postgres_dsn=dsn,
        redis_dsn=valkey_url,
        database=database,
        keyring=keyring,
        transport=transport,
        hook_transport=transport,
        storage=storage,
        registry=registry,
        connector=Connector(
            database=database, keyring=keyring, transport=transport, local_registry=registry
        ),
    )


def files(parts: Parts) -> list[Path]:
    """Return every file of the storage."""
    assert isinstance(parts.storage, FilesystemStorage)
    return sorted(parts.storage.path(UUID(int=0)).parent.parent.parent.rglob("*"))


def chore(parts: Parts, database: Database, name: str) -> Service:
    return next(one for one in chores.build(parts, database, keep=KEEP) if one.name == name)


@pytest.mark.parametrize("name", WORK)
@pytest.mark.parametrize("leads", [True, False])
async def test_a_chore_of_the_leader_changes_nothing_once_another_leads(
    database: Database, parts: Parts, name: str, *, leads: bool
) -> None:
    us = Leader(database, OLD, lease_seconds=60 if leads else -1)
    await us.tick()
    async with database.connection() as connection:
        await connection.execute(WORK[name])
        if not leads:
            assert await leader.acquire(connection, NEW, lease_seconds=60) is not None
        before = await everything(connection), files(parts)
    try:
        await chore(parts, us.database, name).tick()
    except* NotLeading:
        assert not leads
    async with database.connection() as connection:
        after = await everything(connection), files(parts)
    assert (after != before) is leads
    await parts.transport.close()


async def test_every_chore_is_in_the_table(database: Database, parts: Parts) -> None:
    assert {one.name for one in chores.build(parts, database, keep=KEEP)} == set(WORK)
    await parts.transport.close()


async def test_who_is_replaced_in_the_middle_of_a_transaction_commits_nothing(
    database: Database, jobs_at: Jobs
) -> None:
    us = Leader(database, OLD, lease_seconds=60)
    await us.tick()

    async def write() -> None:
        async with us.database.transaction() as connection:
            await connection.execute("INSERT INTO access.projects (name) VALUES ('late')")
            async with database.connection() as other:
                await other.execute("UPDATE jobservice.leader SET lease_until = now()")
                assert await leader.acquire(other, NEW, lease_seconds=60) is not None

    with pytest.raises(NotLeading):
        await write()
    assert await jobs_at.one(LATE) == 0


async def test_a_leader_that_renews_its_lease_goes_on_writing(database: Database) -> None:
    us = Leader(database, OLD, lease_seconds=60)
    await us.tick()
    async with us.database.transaction() as connection:
        await us.tick()
        await connection.execute("INSERT INTO access.projects (name) VALUES ('late')")
    async with database.connection() as other:
        assert await other.fetchval(LATE) == 1
