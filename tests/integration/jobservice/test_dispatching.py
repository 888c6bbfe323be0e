"""What goes to Redis next: windows, priorities, turns, zones, limits and pauses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from database.pool import Connection, Database
from jobservice import dispatching, executions, pauses
from jobservice.domain.execution import NewExecution
from jobservice.domain.limits import EndpointLimits
from jobservice.domain.pause import Held, PauseScope
from jobservice.domain.policy import TriggerKind
from jobservice.store import dispatching as store
from jobservice.store import leader, limits, workers
from jobservice.store.dispatching import Room
from jobservice.store.leader import Leadership
from jobservice.store.workers import NewWorker

ADD_TASKS = """
WITH counted AS (UPDATE jobservice.executions SET total = total + $5::integer WHERE id = $1)
INSERT INTO jobservice.tasks (execution_id, job_type, queue, zone, priority, page, ordinal)
SELECT $1, 'act', 'transfer', $2, $3, $4, number FROM generate_series(1, $5::integer) AS number
"""


RUN_QUEUED = """
WITH begun AS (
    UPDATE jobservice.executions SET started_at = now()
)
UPDATE jobservice.tasks
SET status = 'running', fence = fence + 1, worker_id = 1,
    lease_until = now() + interval '1 minute'
WHERE status = 'queued'
"""


async def started(
    database: Database,
    *,
    zone: str | None = None,
    priority: int = 0,
    endpoints: Sequence[int] = (),
    destination: int | None = None,
) -> int:
    """Start an execution; its plan is in the queue `plan`, which no worker here serves."""
    new = NewExecution(
        vendor_type="test",
        job_type="plan",
        policy_id=None,
        trigger=TriggerKind.MANUAL,
        snapshot={},
        zone=zone,
        priority=priority,
        endpoint_ids=tuple(endpoints),
        destination_id=destination,
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


async def taken(
    connection: Connection, job_type_limits: dict[str, int] | None = None
) -> Counter[int]:
    """Do one round; return how many tasks of each execution went."""
    deliveries = await dispatching.dispatch(
        connection, await leading(connection), job_type_limits or {}
    )
    rows = await connection.fetch(
        "SELECT execution_id FROM jobservice.tasks WHERE id = ANY($1)",
        [delivery.task_id for delivery in deliveries],
    )
    return Counter(row["execution_id"] for row in rows)


async def a_worker(
    connection: Connection,
    zone: str | None = None,
    *,
    slots: int = 2,
    job_types: Sequence[str] = ("act",),
) -> int:
    worker = NewWorker(
        host="h",
        pid=1,
        version="1",
        zone=zone,
        job_types=list(job_types),
        slots={"transfer": slots},
    )
    return await workers.register(connection, worker)


async def test_a_queue_is_given_no_more_than_its_window(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 50)
        await a_worker(connection)
        window = 2 * store.WINDOW_PER_SLOT
        (room,) = await store.rooms(connection)
        assert room == Room(queue="transfer", zone=None, size=window)
        assert await taken(connection) == {execution_id: window}
        assert await store.rooms(connection) == ()
        assert await taken(connection) == {}


async def test_a_silent_worker_is_given_nothing(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 1)
        await a_worker(connection)
        await connection.execute(
            "UPDATE jobservice.workers SET heartbeat_at = now() - interval '21 seconds'"
        )
        assert await taken(connection) == {}


async def test_a_type_that_no_worker_of_the_zone_knows_waits(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 1)
        await a_worker(connection, job_types=["other"])
        await a_worker(connection, "plant-a")
        assert await taken(connection) == {}
        await a_worker(connection, job_types=["act", "other"])
        assert await taken(connection) == {execution_id: 1}


async def test_executions_take_turns(database: Database) -> None:
    large, small = await started(database), await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, large, 100)
        await add_tasks(connection, small, 2)
        await a_worker(connection)
        assert await taken(connection) == {large: 4, small: 2}


async def test_what_is_in_flight_counts_as_a_turn(database: Database) -> None:
    large = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, large, 100)
        await a_worker(connection)
        await taken(connection)
        small = await started(database)
        await add_tasks(connection, small, 100)
        await a_worker(connection, slots=1)
        assert await taken(connection) == {small: 3}


async def test_the_more_urgent_execution_gets_more(database: Database) -> None:
    usual, urgent = await started(database), await started(database, priority=5)
    async with database.connection() as connection:
        await add_tasks(connection, usual, 10)
        await add_tasks(connection, urgent, 10)
        await a_worker(connection, slots=3)
        assert await taken(connection) == {usual: 1, urgent: 8}


async def test_waiting_makes_up_for_priority(database: Database) -> None:
    patient, urgent = await started(database), await started(database, priority=2)
    async with database.connection() as connection:
        await add_tasks(connection, urgent, 9)
        await add_tasks(connection, patient, 9)
        await connection.execute(
            "UPDATE jobservice.executions SET created_at = created_at - interval '21 minutes'"
            " WHERE id = $1",
            patient,
        )
        await a_worker(connection, slots=1)
        await taken(connection)
        first = await connection.fetchval(
            "SELECT execution_id FROM jobservice.tasks WHERE status = 'queued' ORDER BY id LIMIT 1"
        )
        assert first == urgent  # the older row; both got their first turn
        counts = await connection.fetch(
            "SELECT execution_id, count(*) FROM jobservice.tasks WHERE status = 'queued' GROUP BY 1"
        )
    assert {row["execution_id"]: row["count"] for row in counts} == {patient: 1, urgent: 2}


async def test_the_more_urgent_task_of_an_execution_comes_first(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 30)
        await add_tasks(connection, execution_id, 3, priority=9)
        await a_worker(connection, slots=1)
        await taken(connection)
        rows = await connection.fetch(
            "SELECT priority FROM jobservice.tasks WHERE status = 'queued'"
        )
    assert [row["priority"] for row in rows] == [9, 9, 9]


async def test_a_zone_takes_its_own_and_nothing_else(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 1)
        await connection.execute(ADD_TASKS, execution_id, "plant-a", 0, 7, 2)
        await a_worker(connection, "plant-a")
        assert await taken(connection) == {execution_id: 2}
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
        await a_worker(connection)
        leadership = await leader.acquire(connection, 1, lease_seconds=-1 if replaced else 15)
        assert leadership is not None
        if replaced:
            assert await leader.acquire(connection, 2) is not None
        found = await dispatching.dispatch(connection, leadership, {})
    assert len(found) == (0 if replaced else 1)


async def test_a_registry_gets_no_more_tasks_than_its_limit_over_all_executions(
    database: Database,
) -> None:
    first = await started(database, endpoints=[0, 7])
    second = await started(database, endpoints=[7, 8])
    other = await started(database, endpoints=[0, 9])
    async with database.connection() as connection:
        await limits.put(connection, 7, EndpointLimits(concurrency=3))
        for execution_id in (first, second, other):
            await add_tasks(connection, execution_id, 20)
        await a_worker(connection, slots=4)
        assert await taken(connection) == {first: 2, second: 1, other: 9}
        # What runs counts as well as what is queued.
        await connection.execute(RUN_QUEUED)
        assert await taken(connection) == {other: 11}


async def test_a_full_registry_hides_nobody(database: Database) -> None:
    async with database.connection() as connection:
        await limits.put(connection, 7, EndpointLimits(concurrency=1))
        for _ in range(30):
            execution_id = await started(database, endpoints=[7])
            await add_tasks(connection, execution_id, 1)
        last = await started(database, endpoints=[8])
        await add_tasks(connection, last, 1)
        await a_worker(connection, slots=1)
        await taken(connection)
        await taken(connection)
        found = await connection.fetchval(
            "SELECT status FROM jobservice.tasks WHERE execution_id = $1 AND queue = 'transfer'",
            last,
        )
    assert found == "queued"


async def test_a_postponed_registry_is_left_alone(database: Database) -> None:
    waits, goes = await started(database, endpoints=[7]), await started(database, endpoints=[8])
    async with database.connection() as connection:
        await add_tasks(connection, waits, 2)
        await add_tasks(connection, goes, 2)
        await a_worker(connection)
        await limits.postpone(connection, 7, 60, "429")
        await limits.postpone(connection, 7, -60, "429 again")
        assert await taken(connection) == {goes: 2}
        await connection.execute("UPDATE jobservice.endpoint_limits SET postponed_until = now()")
        assert await taken(connection) == {waits: 2}


async def test_a_job_type_has_no_more_tasks_in_flight_than_it_says(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 9)
        await a_worker(connection)
        assert await taken(connection, {"act": 2}) == {execution_id: 2}
        assert await taken(connection, {"act": 2}) == {}


@pytest.mark.parametrize(
    "held",
    [
        Held(scope=PauseScope.EVERYTHING),
        Held(scope=PauseScope.JOB_TYPE, key="act"),
        Held(scope=PauseScope.DESTINATION, key="0"),
    ],
    ids=str,
)
async def test_what_is_paused_waits_until_it_is_resumed(database: Database, held: Held) -> None:
    execution_id = await started(database, endpoints=[0, 7], destination=0)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 1)
        await a_worker(connection)
        await pauses.pause(database, held, by="ann")
        assert await taken(connection) == {}
        await pauses.resume(database, held)
        assert await taken(connection) == {execution_id: 1}


async def test_a_paused_destination_holds_back_no_other(database: Database) -> None:
    here, there = await started(database, destination=0), await started(database, destination=7)
    async with database.connection() as connection:
        await add_tasks(connection, here, 2)
        await add_tasks(connection, there, 2)
        await a_worker(connection)
        await pauses.pause(database, Held(scope=PauseScope.DESTINATION, key="0"), by="ann")
        assert await taken(connection) == {there: 2}


async def test_a_snoozed_task_waits_for_its_time(database: Database) -> None:
    execution_id = await started(database)
    async with database.connection() as connection:
        await add_tasks(connection, execution_id, 2)
        await connection.execute(
            "UPDATE jobservice.tasks SET not_before = now() + interval '1 minute'"
            " WHERE queue = 'transfer' AND ordinal = 1"
        )
        await a_worker(connection)
        assert await taken(connection) == {execution_id: 1}
