"""A round takes its few milliseconds however much waits: plans of the queries, and time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from statistics import median
from time import perf_counter

import pytest

from database.pool import Connection, Database
from jobservice import dispatching
from jobservice.store import dispatching as store
from jobservice.store import leader, limits, workers
from jobservice.store.workers import NewWorker

ROUND_SECONDS = 0.1
ROUNDS = 10  # beyond the five after which Postgres may plan without the values
LARGE = 100_000
MANY = 20_000

EXECUTIONS = """
INSERT INTO jobservice.executions
    (vendor_type, trigger, policy_snapshot, endpoint_ids, created_at)
SELECT 'test', 'manual', '{}', ARRAY[0, 7 + number % 10], now() - number * interval '1 second'
FROM generate_series(1, $1::integer) AS number
"""
PLANS = """
INSERT INTO jobservice.tasks (execution_id, job_type, is_plan, queue)
SELECT id, 'plan', true, 'plan' FROM jobservice.executions
"""
ONE_LARGE = """
INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, ordinal)
SELECT (SELECT max(id) FROM jobservice.executions), 'act', 'transfer', 1, number
FROM generate_series(1, $1::integer) AS number
"""
ONE_EACH = """
INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, ordinal)
SELECT id, 'act', 'transfer', 2, 1 FROM jobservice.executions
"""


@pytest.fixture
async def crowded(database: Database) -> AsyncIterator[Connection]:
    """20,000 unfinished executions with a plan each; the last one to have its turn is large."""
    async with database.connection() as connection:
        await connection.execute(EXECUTIONS, MANY)
        await connection.execute(
            "UPDATE jobservice.executions SET created_at = now() WHERE id = $1", MANY
        )
        await connection.execute(PLANS)
        await connection.execute(ONE_LARGE, LARGE)
        await connection.execute("ANALYZE jobservice.executions, jobservice.tasks")
        worker = NewWorker(
            host="h",
            pid=1,
            version="1",
            zone=None,
            job_types=["plan", "act"],
            slots={"plan": 4, "transfer": 8},
        )
        await workers.register(connection, worker)
        yield connection


async def rounds(connection: Connection, count: int = ROUNDS) -> tuple[float, int]:
    """Return the median time of a round in seconds, and how many tasks went in all of them."""
    leadership = await leader.acquire(connection, 1, lease_seconds=600)
    assert leadership is not None
    times, taken = [], 0
    for _ in range(count):
        before = perf_counter()
        taken += len(await dispatching.dispatch(connection, leadership, {}))
        times.append(perf_counter() - before)
        await connection.execute(
            "UPDATE jobservice.tasks SET status = 'stopped', ended_at = now()"
            " WHERE status = 'queued'"
        )
    return median(times), taken


async def test_a_round_is_short_beside_a_large_execution_and_many_others(
    crowded: Connection,
) -> None:
    seconds, taken = await rounds(crowded)
    assert taken == ROUNDS * store.WINDOW_PER_SLOT * 12
    assert seconds < ROUND_SECONDS


async def test_a_round_is_short_when_everybody_waits(crowded: Connection) -> None:
    await crowded.execute(ONE_EACH)
    seconds, taken = await rounds(crowded)
    assert taken == ROUNDS * store.WINDOW_PER_SLOT * 12
    assert seconds < ROUND_SECONDS


async def test_a_round_is_short_when_nearly_everything_is_postponed(crowded: Connection) -> None:
    await crowded.execute(ONE_EACH)
    for endpoint_id in range(7, 16):
        await limits.postpone(crowded, endpoint_id, 600, "429")
    seconds, taken = await rounds(crowded)
    assert taken == ROUNDS * store.WINDOW_PER_SLOT * 12
    assert seconds < ROUND_SECONDS


async def test_whoever_waits_in_a_lane_is_found_by_its_index(crowded: Connection) -> None:
    rows = await crowded.fetch(f"EXPLAIN {store.CANDIDATES}", "transfer", None, "act", [], 24, 24)
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "Seq Scan on tasks" not in plan
    assert "tasks_by_execution" not in plan
    assert plan.count("using tasks_in_lane") == 3
