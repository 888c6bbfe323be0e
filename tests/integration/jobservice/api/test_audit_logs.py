"""The audit log as Harbor shows it, and purging it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from access import audit
from access.audit import Actor, Entry, Event
from access.identity import Principal
from database.pool import Database
from jobservice.jobs.audit_purge import AuditPurge
from tests.integration.jobservice.api.caller import Caller
from tests.integration.jobservice.api.test_schedules import tick
from tests.integration.jobservice.conftest import Jobs, working_at


@pytest.fixture(autouse=True)
async def _entries(database: Database) -> None:
    """Six entries, an hour apart; the last one failed."""
    async with database.transaction() as connection:
        for number, event in enumerate(
            [Event.CREATE_POLICY, Event.UPDATE_POLICY, Event.START_EXECUTION] * 2
        ):
            actor = Actor(
                principal=Principal(user_id=None, username=f"user{number % 2}"), address="10.1.2.3"
            )
            with audit.acting(actor):
                entry = Entry(
                    event=event,
                    resource=f"thing {number}",
                    successful=number < 5,
                    details={"n": number},
                )
                await audit.record(connection, entry)
        await connection.execute(
            "UPDATE access.audit_log SET occurred_at = now() - (7 - id) * interval '1 hour'"
        )


async def test_entries_are_shown_as_harbor_does(admin: Caller) -> None:
    entries = (await admin.get("/auditlog-exts")).json
    assert [entry["resource"] for entry in entries] == [f"thing {n}" for n in (5, 4, 3, 2, 1, 0)]
    last = entries[0]
    assert last.pop("op_time").endswith("Z")
    assert last == {
        "id": 6,
        "username": "user1",
        "operation": "start",
        "resource_type": "execution",
        "resource": "thing 5",
        "operation_description": "",
        "operation_result": False,
        "transship": {"client_address": "10.1.2.3", "details": {"n": 5}},
    }
    plain = (await admin.get("/audit-logs?page_size=1")).json
    assert set(plain[0]) == {"id", "username", "operation", "resource_type", "resource", "op_time"}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"q": "username=user0"}, [5, 3, 1]),
        ({"q": "operation={create update},resource_type=policy"}, [5, 4, 2, 1]),
        ({"q": "operation_result=false"}, [6]),
        ({"q": "resource=~THING 3"}, [4]),
        ({"q": "resource=thing' OR 1=1 --"}, []),
        ({"sort": "username,-id"}, [5, 3, 1, 6, 4, 2]),
        ({"sort": "op_time", "page_size": "2", "page": "2"}, [3, 4]),
        ({"q": "op_time=[~2020-01-01 00:00:00]"}, []),
        ({"q": "op_time=[2020-01-01 00:00:00~]", "page_size": "1"}, [6]),
    ],
)
async def test_entries_are_filtered_sorted_and_paged(
    admin: Caller, query: dict[str, str], ids: list[int]
) -> None:
    for path in ("/auditlog-exts", "/audit-logs"):
        found = await admin.get(path, params=query)
        assert [entry["id"] for entry in found.json] == ids


async def test_the_links_of_the_audit_log_walk_all_of_it(admin: Caller) -> None:
    path, seen = "/api/v2.0/auditlog-exts?q=op_time%3D%5B2020-01-01%7E%5D&page_size=2", []
    while path:
        page = await admin.get(f"/{path}")
        seen += [entry["id"] for entry in page.json]
        onwards = [link for link in page.headers.get("Link", "").split(", ") if "next" in link]
        path = onwards[0].partition("<")[2].partition(">")[0] if onwards else ""
    assert seen == [6, 5, 4, 3, 2, 1]


async def test_the_types_of_entries_are_listed(admin: Caller, nobody: Caller) -> None:
    types = {one["event_type"] for one in (await admin.get("/auditlog-exts/events")).json}
    assert {"create_policy", "start_execution", "stop_task", "pause_queue"} <= types
    assert (await nobody.get("/auditlog-exts")).status == 403


def body(kind: str, **parameters: Any) -> dict[str, Any]:
    given = {"audit_retention_hour": 3, "include_event_types": "create_policy,start"}
    return {"schedule": {"type": kind}, "parameters": {**given, **parameters}}


async def left(database: Database) -> list[int]:
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT id FROM access.audit_log WHERE id <= 6 ORDER BY id")
    return [row["id"] for row in rows]


async def test_a_purge_runs_as_a_job_and_leaves_its_history(
    admin: Caller, database: Database, jobs_at: Jobs, dsn: str, valkey_url: str
) -> None:
    tried = await admin.post("/system/purgeaudit/schedule", body("Manual", dry_run=True))
    done = await admin.post("/system/purgeaudit/schedule", body("Manual", colour="red"))
    assert "parameters.colour" in done.headers["Warning"]
    paths = [answer.headers["Location"].removeprefix("/api/v2.0") for answer in (tried, done)]
    job_types = {"PURGE_AUDIT_LOG": AuditPurge(database)}
    async with working_at(dsn, valkey_url, lambda _: job_types):
        first, second = (int(path.rpartition("/")[2]) for path in paths)
        assert (await jobs_at.ended(first)).status_text == "3 entries would be deleted"
        assert (await jobs_at.ended(second)).status_text == "3 entries deleted"
    assert await left(database) == [2, 5, 6]
    shown = (await admin.get(paths[1])).json
    assert (shown["job_name"], shown["job_kind"]) == ("PURGE_AUDIT_LOG", "MANUAL")
    assert shown["job_status"] == "Success"
    assert json.loads(shown["job_parameters"])["audit_retention_hour"] == 3
    history = (await admin.get("/system/purgeaudit")).json
    assert [one["id"] for one in history] == [second, first]
    assert "purge_ends" in (await admin.get(f"{paths[1]}/log")).text
    assert [one["id"] for one in (await admin.get("/replication/executions")).json] == []


async def test_a_purge_is_stopped(admin: Caller) -> None:
    made = await admin.post("/system/purgeaudit/schedule", body("Manual"))
    path = made.headers["Location"].removeprefix("/api/v2.0")
    assert (await admin.put(path)).status == 200
    assert (await admin.get(path)).json["job_status"] == "Stopped"


async def test_purges_are_scheduled_changed_and_unscheduled(admin: Caller) -> None:
    path = "/system/purgeaudit/schedule"
    assert (await admin.get(path)).json == {}
    assert (await admin.post(path, body("Daily"))).status == 201
    shown = (await admin.get(path)).json
    assert shown["schedule"]["type"] == "Daily"
    assert shown["schedule"]["cron"] == "0 0 0 * * *"
    assert shown["schedule"]["next_scheduled_time"]
    custom = {"schedule": {"type": "Custom", "cron": "0 30 2 * * 1"}}
    assert (await admin.put(path, {**body("Custom"), **custom})).status == 200
    assert (await admin.get(path)).json["schedule"]["cron"] == "0 30 2 * * 1"
    assert (await admin.put(path, {"schedule": {"type": "None"}})).status == 200
    assert (await admin.get(path)).json == {}


async def test_one_scheduled_purge_waits_to_begin_and_no_queue_of_them(
    admin: Caller, database: Database
) -> None:
    await admin.post("/system/purgeaudit/schedule", body("Daily"))
    await tick(database, timedelta(days=1, seconds=1))
    await tick(database, timedelta(days=2, seconds=1))
    (run,) = (await admin.get("/system/purgeaudit")).json
    (schedule,) = (await admin.get("/schedules")).json
    refused, started = (await admin.get(f"/schedules/{schedule['id']}/fires")).json
    assert (started["outcome"], started["execution_id"]) == ("started", run["id"])
    assert refused["outcome"] == "refused"
    assert f"purge {run['id']}, which this schedule started before" in refused["detail"]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({}, "schedule.type: is missing"),
        (body("Yearly"), "schedule.type: 'Yearly' is not known"),
        (body("Manual", audit_retention_hour=0), "audit_retention_hour"),
        (body("Custom"), "schedule.cron"),
        ({**body("Custom"), "schedule": {"type": "Custom", "cron": "* * * * *"}}, "schedule.cron"),
    ],
)
async def test_a_purge_that_cannot_be_is_refused(
    admin: Caller, asked: dict[str, Any], problem: str
) -> None:
    refused = await admin.post("/system/purgeaudit/schedule", asked)
    assert refused.status == 400
    assert problem in refused.messages


async def test_an_execution_that_is_no_purge_is_none(admin: Caller, jobs_at: Jobs) -> None:
    other = await jobs_at.start([])
    assert (await admin.get(f"/system/purgeaudit/{other}")).status == 404
    assert (await admin.get(f"/system/purgeaudit/{other}/log")).status == 404
    assert (await admin.put(f"/system/purgeaudit/{other}")).status == 404
