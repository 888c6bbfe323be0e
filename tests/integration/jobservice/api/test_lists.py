"""What lists are asked that makes no sense: refused with a sentence, or without any effect."""

from __future__ import annotations

from itertools import product
from urllib.parse import quote

import pytest

from bench import history
from database.pool import Database
from tests.integration.jobservice.api.caller import Caller
from tests.integration.jobservice.conftest import Jobs

LISTS = [
    "/registries",
    "/replication/policies",
    "/replication/executions",
    "/projects",
    "/schedules",
    "/audit-logs",
    "/auditlog-exts",
    "/system/webhook/policies",
    "/system/purgeaudit",
]
OURS = ["/tasks"]
INJECTION = "1; DROP TABLE jobservice.tasks; --"


async def test_numbers_of_pages_that_are_none_are_refused(admin: Caller) -> None:
    for path, name, value in product(
        [*LISTS, *OURS], ["page", "page_size"], ["9" * 1_000, "0", "-1", "1e3", "x", INJECTION]
    ):
        answer = await admin.get(f"{path}?{name}={quote(value)}")
        assert (answer.status, answer.code) == (400, "BAD_REQUEST"), (path, name, value)
        assert answer.messages.startswith(f"{name}: ")
        assert len(answer.text) < 500


async def test_a_page_size_of_a_million_digits_never_gets_in(admin: Caller) -> None:
    # The parser of requests refuses it, before anything that the document describes.
    target = "/api/v2.0/registries?page_size=" + "9" * 1_000_000
    async with admin.client.get(target) as answer:
        assert answer.status == 400


async def test_sorting_by_what_is_not_there_is_named(admin: Caller) -> None:
    for path in LISTS:
        answer = await admin.get(f"{path}?sort={quote(INJECTION)},-nothing")
        assert answer.status == 200
        assert "sort: nothing" in answer.headers["Warning"]


async def test_our_own_lists_refuse_what_they_do_not_have(admin: Caller) -> None:
    for path in OURS:
        answer = await admin.get(f"{path}?sort=-nothing&q=colour=blue,id=x")
        assert answer.status == 400
        problems = [error["message"] for error in answer.json["errors"]]
        assert [problem.partition(" is not ")[0] for problem in problems] == [
            "q: 'id=x': 'x'",
            "q: colour",
            "sort: nothing",
        ]
        assert "known are id, " in problems[-1]


async def test_sql_in_q_is_text(admin: Caller) -> None:
    for path, q in product(
        ["/registries", "/replication/policies", "/system/webhook/policies"],
        ["name=' OR 1=1 --", "name=~%' OR 1=1 --", "name={'; DROP TABLE x}", "name=[a'~b']"],
    ):
        answer = await admin.get(f"{path}?q={quote(q)}")
        assert (answer.status, answer.json) == (200, [])


async def test_a_cursor_that_is_none_is_refused(admin: Caller) -> None:
    for path, word in product(LISTS, ["x", "e30", "a" * 4096, "a" * 5000, INJECTION]):
        answer = await admin.get(f"{path}?cursor={quote(word)}")
        assert answer.status == 400
        assert answer.messages.startswith("cursor: ")


async def test_a_list_is_walked_by_its_links(admin: Caller, database: Database) -> None:
    async with database.connection() as connection:
        await history.write(connection, executions=45, tasks=200, large=50)
    seen: list[int] = []
    path = "//api/v2.0/replication/executions?page_size=10&sort=-end_time"
    while path:
        page = await admin.get(path)
        assert page.headers["X-Total-Count"] == "45"
        seen += [row["id"] for row in page.json]
        path = page.links.get("next", "")
    assert len(seen) == len(set(seen)) == 45


async def test_a_cursor_belongs_to_its_order(admin: Caller, database: Database) -> None:
    async with database.connection() as connection:
        await history.write(connection, executions=12, tasks=50, large=20)
    first = await admin.get("/replication/executions")
    onwards = first.links["next"]
    assert (await admin.get(onwards)).status == 200
    refused = await admin.get(f"{onwards}&sort=start_time")
    assert refused.status == 400
    assert "none of this list in this order" in refused.messages


@pytest.mark.parametrize("identity", ["0", "7", "9223372036854775807", "9223372036854775808", "-1"])
async def test_ids_of_nobody_are_not_found_or_refused(admin: Caller, identity: str) -> None:
    for path in (
        f"/replication/executions/{identity}",
        f"/replication/executions/{identity}/tasks",
        f"/replication/executions/{identity}/tasks/1/log",
    ):
        assert (await admin.get(path)).status in {400, 404}


async def test_executions_of_others_are_none_of_replications(admin: Caller, jobs_at: Jobs) -> None:
    other = await jobs_at.start([])
    path = f"/replication/executions/{other}"
    for answer in (
        await admin.get(path),
        await admin.put(path),
        await admin.get(f"{path}/tasks"),
        await admin.get(f"{path}/tasks/{other}/log"),
    ):
        assert (answer.status, answer.code) == (404, "NOT_FOUND")
    assert (await admin.get("/replication/executions")).json == []
