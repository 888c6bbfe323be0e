"""What goes to Redis next: windows, priorities, turns and zones."""

from __future__ import annotations

import pytest

from database.pool import Connection, Database
from jobservice import executions
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind
from jobservice.store import dispatching, leader, workers
from jobservice.store.dispatching import Room
from jobservice.store.leader import Leadership
from jobservice.store.workers import NewWorker

ADD_TASKS = """
WITH counted AS (UPDATE jobservice.executions SET total = total + $5::integer WHERE id = $1)
INSERT INTO jobservice.tasks (execution_id, job_type, queue, zone, priority, page, ordinal)
SELECT $1, 'act', 'transfer', $2, $3, $4, number FROM generate_series(1, $5::integer) AS number
"""


async def started(database: Database, *, zone: str | None = None, priority: int = 0) -> int:
    """Start an execution; its plan is in the queue `plan`."""
    new = NewExecution(
        vendor_type="test",
        job_type="plan",
        policy_id=None,
        trigger=TriggerKind.MANUAL,
        snapshot={},
        zone=zone,
        priority=priority,
    )
    return await executions.start(database, new)


async def add_tasks(
    connection: Connection,
    execution_id: int,
    count: int,
    *,
    zone: str | None = None,
    priority: int = 0,
) -> None:
    await connection.execute(ADD_TASKS, execution_id, zone, priority, 1 + priority, count)


async def leading(connection: Connection) -> Leadership:
    leadership = await leader.acquire(connection, 1)
    assert leadership is not None
    return leadership


async def taken(connection: Connection, size: int, *, zone: str | None = None) -> list[int]:
    """Take tasks; return their executions."""
    room = Room(queue="transfer", zone=zone, size=size)
    deliveries = await dispatching.take(connection, await leading(connection), room)
    rows = await connection.fetch(
        "SELECT id, execution_id FROM jobservice.tasks WHERE id = ANY($1)",
        [delivery.task_id for delivery in deliveries],
    )
    owners = {row["id"]: row["execution_id"] for row in rows}
    return sorted(owners[delivery.task_id] for delivery in deliveries)


async def a_worker(connection: Connection, zone: str | None = None) -> int:
    worker = NewWorker(
        host="h", pid=1, version="1", zone=zone, job_types=["act"], slots={"transfer": 2}
    )
    return await workers.register(connection, worker)


async def test_a_queue_is_given_no_more_than_its_window(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 50)
        await a_worker(connection)
        window = 2 * dispatching.WINDOW_PER_SLOT
        (room,) = await dispatching.rooms(connection)
        assert room == Room(queue="transfer", zone=None, size=window)
        assert len(await taken(connection, room.size)) == window
        assert await dispatching.rooms(connection) == ()


async def test_a_silent_worker_is_given_nothing(database: Database) -> None:
    async with database.connection() as connection:
        await a_worker(connection)
        await connection.execute(
            "UPDATE jobservice.workers SET heartbeat_at = now() - interval '21 seconds'"
        )
        assert await dispatching.rooms(connection) == ()


async def test_executions_take_turns(database: Database) -> None:
    large, small = await started(database), await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, large, 100)
        await add_tasks(connection, small, 2)
        assert await taken(connection, 4) == [large, large, small, small]


async def test_the_more_urgent_execution_comes_first(database: Database) -> None:
    usual, urgent = await started(database), await started(database, priority=5)
    async with database.connection() as connection:
        await add_tasks(connection, usual, 10)
        await add_tasks(connection, urgent, 3)
        assert await taken(connection, 4) == [usual, urgent, urgent, urgent]


async def test_the_more_urgent_task_of_an_execution_comes_first(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 3)
        await add_tasks(connection, execution_id, 1, priority=9)
        await taken(connection, 1)
        first = await connection.fetchval(
            "SELECT priority FROM jobservice.tasks WHERE status = 'queued'"
        )
    assert first == 9


async def test_a_zone_takes_its_own_and_nothing_else(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 1)
        await connection.execute(ADD_TASKS, execution_id, "plant-a", 0, 7, 2)
        await a_worker(connection, "plant-a")
        (room,) = await dispatching.rooms(connection)
        assert room.zone == "plant-a"
        assert len(await taken(connection, 10, zone="plant-a")) == 2
        waiting = await connection.fetchval(
            "SELECT count(*) FROM jobservice.tasks"
            " WHERE status = 'pending' AND queue = 'transfer' AND zone IS NULL"
        )
    assert waiting == 1


@pytest.mark.parametrize("replaced", [True, False])
async def test_only_the_leader_takes(database: Database, *, replaced: bool) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 1)
        leadership = await leader.acquire(connection, 1, lease_seconds=-1 if replaced else 15)
        assert leadership is not None
        if replaced:
            assert await leader.acquire(connection, 2) is not None
        room = Room(queue="transfer", zone=None, size=5)
        found = await dispatching.take(connection, leadership, room)
    assert len(found) == (0 if replaced else 1)
