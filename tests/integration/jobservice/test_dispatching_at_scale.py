"""A round looks at a few thousand pages however much waits: some milliseconds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from database.pool import Connection, Database
from jobservice import dispatching
from jobservice.store import dispatching as store
from jobservice.store import leader, limits, workers
from jobservice.store.workers import NewWorker

PAGES = 8_000
SLOTS = {"plan": 4, "transfer": 8}
WINDOW = store.WINDOW_PER_SLOT * sum(SLOTS.values())
POSTPONED = range(7, 16)
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
WITH counted AS (
    UPDATE jobservice.executions SET total = total + $1::integer
    WHERE id = (SELECT max(id) FROM jobservice.executions)
)
INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, ordinal)
SELECT (SELECT max(id) FROM jobservice.executions), 'act', 'transfer', 1, number
FROM generate_series(1, $1::integer) AS number
"""
ONE_EACH = """
WITH counted AS (UPDATE jobservice.executions SET total = total + 1)
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
            slots=SLOTS,
        )
        await workers.register(connection, worker)
        yield connection


async def pages_read(connection: Connection, blocked: Sequence[int] = ()) -> int:
    """Return how many pages the queries of a round look at: time, without the machine's mood."""
    total = 0
    for query, arguments in (
        (store.ROOM, ()),
        (store.LANES, ()),
        (store.BUSY, ()),
        (store.CANDIDATES, ("plan", None, "plan", list(blocked), 13, 12)),
        (store.CANDIDATES, ("transfer", None, "act", list(blocked), 25, 24)),
    ):
        (plan,) = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", *arguments
        )
        total += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
    return total


async def taken(connection: Connection) -> int:
    """Return how many tasks a round takes, and undo it."""
    leadership = await leader.acquire(connection, 1, lease_seconds=600)
    assert leadership is not None
    undone: Any = connection.transaction()
    await undone.start()
    found = await dispatching.dispatch(connection, leadership, {})
    await undone.rollback()
    return len(found)


async def test_a_round_is_short_beside_a_large_execution_and_many_others(
    crowded: Connection,
) -> None:
    assert await taken(crowded) == WINDOW
    assert await pages_read(crowded) < PAGES


async def test_a_round_is_short_when_everybody_waits(crowded: Connection) -> None:
    await crowded.execute(ONE_EACH)
    assert await taken(crowded) == WINDOW
    assert await pages_read(crowded) < PAGES


async def test_a_round_is_short_when_nearly_everything_is_postponed(crowded: Connection) -> None:
    await crowded.execute(ONE_EACH)
    for endpoint_id in POSTPONED:
        await limits.postpone(crowded, endpoint_id, 600, "429")
    assert await taken(crowded) == WINDOW
    assert await pages_read(crowded, POSTPONED) < PAGES
