"""Lists on a real Postgres: pages that go on from a row, and what they read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench import history
from database.pool import Connection, Database
from jobservice import executions, tasks
from jobservice.domain.listing import AnyOf, Condition, Contains, Equals, Listing, Order, Rows
from jobservice.errors import InvalidRequest
from jobservice.store import executions as executions_store
from jobservice.store import listing as listing_sql
from jobservice.store import tasks as tasks_store

WAITING = ("pending", "queued", "retrying")
ORDERS = [
    (),
    (Order(field="id", descending=True),),
    (Order(field="total"),),
    (Order(field="start_time", descending=True),),
    (Order(field="end_time"),),
    (Order(field="policy_id", descending=True), Order(field="total")),
    (Order(field="status"), Order(field="end_time", descending=True)),
]


@pytest.fixture
async def connection(database: Database) -> Any:
    async with database.connection() as opened:
        await history.write(opened, executions=100, tasks=2_000, large=700)
        yield opened


def ids(rows: Rows[Any]) -> list[int]:
    return [item.id for item in rows.items]


@pytest.mark.parametrize("order", ORDERS, ids=str)
async def test_pages_by_cursor_are_the_pages_by_number(
    connection: Connection, order: tuple[Order, ...]
) -> None:
    await connection.execute(
        "WITH unfinished AS (UPDATE jobservice.executions"
        " SET policy_id = NULL, plan_status = NULL, total = total + 1 WHERE id % 3 = 0"
        " RETURNING id)"
        " INSERT INTO jobservice.tasks (execution_id, job_type, queue, page)"
        " SELECT id, 'act', 'transfer', 2 FROM unfinished"
    )
    whole = ids(await executions_store.page(connection, Listing(order=order, page_size=100)))
    assert len(whole) == 100
    listing = Listing(order=order, page_size=30)
    pages = [await executions_store.page(connection, listing)]
    while (after := pages[-1].after) is not None:
        pages.append(await executions_store.page(connection, replace(listing, cursor=after)))
    assert [one for page in pages for one in ids(page)] == whole
    back = [pages[-1]]
    while (before := back[0].before) is not None:
        back.insert(0, await executions_store.page(connection, replace(listing, cursor=before)))
    assert [one for page in back for one in ids(page)] == whole


async def test_pages_go_on_where_rows_were_added_before_them(connection: Connection) -> None:
    listing = Listing(order=(Order(field="id", descending=True),), page_size=40)
    first = await executions_store.page(connection, listing)
    await connection.execute(
        "INSERT INTO jobservice.executions (vendor_type, trigger, policy_snapshot)"
        " SELECT 'replication', 'manual', '{}' FROM generate_series(1, 5)"
    )
    second = await executions_store.page(connection, replace(listing, cursor=first.after))
    assert ids(second)[0] == ids(first)[-1] - 1


async def test_any_of_some_values_is_one_list_in_order(connection: Connection) -> None:
    status = AnyOf(field="status", values=("failed", "succeeded", "failed"))
    wanted = Listing(conditions=(status,), page_size=17, page=2)
    found = await tasks_store.page(connection, 1, wanted)
    every = await tasks_store.page(connection, 1, Listing(page_size=17, page=2))
    assert ids(found) == ids(every)
    assert found.total == 700


async def test_counters_tell_how_many_tasks_match(database: Database) -> None:
    async with database.connection() as connection:
        await history.write(connection, executions=20, tasks=1_000, large=200)
        await connection.execute(
            "UPDATE jobservice.executions SET total = total + 3, plan_status = NULL WHERE id = 1;"
            "INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, status,"
            " dispatched_at, not_before) VALUES"
            " (1, 'act', 'transfer', 2, 'pending', NULL, NULL),"
            " (1, 'act', 'transfer', 3, 'queued', now(), NULL),"
            " (1, 'act', 'transfer', 4, 'retrying', NULL, now())"
        )
    for values, total in (
        (("succeeded",), 190),
        (("failed",), 10),
        (("stopped",), 0),
        (("running",), 0),
        (WAITING, 3),
    ):
        asked = Listing(conditions=(AnyOf(field="status", values=values),), page_size=100)
        found = await executions.tasks_page(database, 1, asked)
        assert found.total == total
        assert len(found.items) == min(total, 100)


async def test_the_tasks_of_a_large_execution_are_sorted_by_one_field(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.connection() as connection:
        await history.write(connection, executions=5, tasks=100, large=80)
    monkeypatch.setattr(executions, "SORT_LIMIT", 79)
    start, end = Order(field="start_time"), Order(field="end_time")
    found = await executions.tasks_page(database, 1, Listing(order=(start,), page_size=100))
    times = [task.started_at for task in found.items]
    assert times == sorted(times, key=str)
    assert (found.total, len(times)) == (80, 80)
    with pytest.raises(InvalidRequest, match="by one field only"):
        await executions.tasks_page(database, 1, Listing(order=(start, end)))
    assert (await executions.tasks_page(database, 2, Listing(order=(start, end)))).total == 5


# Of every status some, begun or not, some at the same time.
MIXED = """
UPDATE jobservice.tasks SET ended_at = date_trunc('minute', ended_at) WHERE id % 3 = 0;
UPDATE jobservice.tasks SET started_at = NULL WHERE id % 11 = 0;
INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, ordinal, status, dispatched_at,
                              not_before, lease_until, worker_id, started_at)
SELECT 1, 'act', 'transfer', 2, place, status,
       CASE WHEN status = 'queued' THEN now() END, CASE WHEN status = 'retrying' THEN now() END,
       CASE WHEN status = 'running' THEN now() END, CASE WHEN status = 'running' THEN 1 END,
       CASE WHEN place % 2 = 0 THEN now() - place % 5 * interval '1 hour' END
FROM generate_series(1, 60) AS place, LATERAL (
    SELECT (ARRAY['pending', 'queued', 'retrying', 'running'])[1 + place % 4] AS status
) AS turn;
UPDATE jobservice.executions SET total = total + 60, plan_status = NULL WHERE id = 1;
"""


@pytest.mark.parametrize("status", [None, "pending", "failed"])
@pytest.mark.parametrize("way", ["", "DESC"])
@pytest.mark.parametrize("field", ["id", "start_time", "end_time"])
async def test_the_tasks_of_an_execution_are_in_any_order_and_paged_by_cursor(
    connection: Connection, field: str, way: str, status: str | None
) -> None:
    await connection.execute(MIXED)
    sort = {
        "id": "id",
        "start_time": "coalesce(started_at, created_at)",
        "end_time": "coalesce(ended_at, timestamptz '9999-12-31')",
    }[field]
    rows = await connection.fetch(
        "SELECT id FROM jobservice.tasks WHERE execution_id = 1"  # noqa: S608  ours
        f" AND ($1::text IS NULL OR status = $1) ORDER BY {sort} {way}, id {way}",
        status,
    )
    conditions = (AnyOf(field="status", values=(status,)),) if status else ()
    order = (Order(field=field, descending=bool(way)),)
    listing = Listing(conditions=conditions, order=order, page_size=13)
    found = [await tasks_store.page(connection, 1, listing)]
    while (after := found[-1].after) is not None:
        found.append(await tasks_store.page(connection, 1, replace(listing, cursor=after)))
    assert [task.id for page in found for task in page.items] == [row["id"] for row in rows]
    before = replace(listing, cursor=found[-1].before)
    assert ids(await tasks_store.page(connection, 1, before)) == ids(found[-2])
    by_number = replace(listing, page=2)
    assert ids(await tasks_store.page(connection, 1, by_number)) == ids(found[1])


def scans(node: dict[str, Any]) -> list[tuple[str, str]]:
    """Every scan of a plan: how, and of what."""
    found = [(node["Node Type"], node["Relation Name"])] if "Relation Name" in node else []
    return found + [scan for child in node.get("Plans", ()) for scan in scans(child)]


async def plan(
    connection: Connection, table: listing_sql.Table, listing: Listing
) -> list[tuple[str, str]]:
    statement = listing_sql.select(table, listing)
    query = f"EXPLAIN (FORMAT JSON) {statement.sql}"
    ((explained,),) = (await connection.fetchval(query, *statement.parameters),)
    return scans(explained["Plan"])


STATUSES = (("succeeded",), ("failed",), ("running",), WAITING)
NARROWED: list[tuple[Condition, ...]] = [
    (tasks_store.EVERY_STATUS,),
    *((AnyOf(field="status", values=values),) for values in STATUSES),
]


@pytest.mark.parametrize("conditions", NARROWED, ids=str)
@pytest.mark.parametrize("order", [*ORDERS[:2], *ORDERS[3:5]], ids=str)
async def test_no_page_of_tasks_reads_the_whole_table(
    database: Database, conditions: tuple[Condition, ...], order: tuple[Order, ...]
) -> None:
    async with database.connection() as connection:
        await history.write(connection, executions=400, tasks=20_000, large=8_000)
        scope = (
            Equals(field="execution_id", value=1),
            Equals(field="is_plan", value=False),
        )
        listing = Listing(conditions=(*scope, *conditions), order=order)
        first = await listing_sql.page(connection, tasks_store.TABLE, listing, dict, total=0)
        for asked in (listing, replace(listing, page=100), replace(listing, cursor=first.after)):
            found = await plan(connection, tasks_store.TABLE, asked)
            assert ("Seq Scan", "tasks") not in found
            assert any(relation == "tasks" for _, relation in found)


async def test_a_fuzzy_condition_looks_at_the_newest_rows_of_an_endless_table(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_sql, "FUZZY_LIMIT", 30)
    endless = replace(executions_store.TABLE, endless=True)
    fuzzy = Contains(field="trigger", text="MANUAL")
    found = await listing_sql.page(
        connection, endless, Listing(conditions=(fuzzy,), page_size=100), dict
    )
    assert found.searched == 30
    assert min(row["id"] for row in found.items) > 70
    assert found.total == len(found.items) == 10
    few = (fuzzy, Equals(field="trigger", value="manual"))
    found = await listing_sql.page(
        connection, endless, Listing(conditions=few, page_size=100), dict
    )
    assert found.searched == 30
    exact = Equals(field="policy_id", value=7)
    found = await listing_sql.page(connection, endless, Listing(conditions=(fuzzy, exact)), dict)
    assert found.searched is None


async def test_tasks_of_all_executions_are_found_by_type_and_status(
    database: Database,
) -> None:
    async with database.connection() as connection:
        await history.write(connection, executions=50, tasks=2_000, large=500)
        await connection.execute(
            "INSERT INTO jobservice.tasks (execution_id, job_type, queue, page) VALUES"
            " (3, 'act', 'transfer', 2), (4, 'act', 'transfer', 2);"
            "UPDATE jobservice.executions SET total = total + 1, plan_status = NULL"
            " WHERE id IN (3, 4)"
        )
        latest = (Order(field="id", descending=True),)
        for conditions, total in (
            ((Equals(field="status", value="pending"),), 2),
            ((Equals(field="job_type", value="act"),), 2),
            ((Equals(field="job_type", value="nothing"),), 0),
            ((Equals(field="execution_id", value=3), Equals(field="status", value="pending")), 1),
        ):
            listing = Listing(conditions=conditions, order=latest, page_size=1)
            found = await tasks_store.page_of_all(connection, listing)
            assert found.total == total
            assert found.searched is None
            assert (found.after is not None) is (found.total > 1)
        by_worker = (Equals(field="worker_id", value=7),)
        found = await tasks_store.page_of_all(
            connection, Listing(conditions=by_worker, order=latest)
        )
        assert {task.worker_id for task in found.items} == {7}
        assert found.total == await connection.fetchval(
            "SELECT count(*) FROM jobservice.tasks WHERE worker_id = 7"
        )
        assert found.searched is None
        some = AnyOf(field="worker_id", values=(7, 8))
        of_some = await tasks_store.page_of_all(
            connection, Listing(conditions=(some,), order=latest, page_size=100)
        )
        assert ids(of_some) == sorted(ids(of_some), reverse=True)
        assert {task.worker_id for task in of_some.items} == {7, 8}
        assert of_some.searched is None
        of_type = (*by_worker, Equals(field="job_type", value="act"))
        found = await tasks_store.page_of_all(connection, Listing(conditions=of_type, order=latest))
        assert found.total == 0
    with pytest.raises(InvalidRequest, match="by id"):
        await tasks.page(database, Listing(order=(Order(field="start_time"),)))
