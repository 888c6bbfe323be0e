"""Harbor's tag `gc`: collections asked for, scheduled, looked at and stopped."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from database.pool import Database
from registry.service import Registry
from tests.integration.jobservice.api.caller import Caller
from tests.integration.jobservice.api.test_schedules import tick
from tests.integration.jobservice.conftest import Jobs

SCHEDULE = "/system/gc/schedule"
NAME = "GARBAGE_COLLECTION"


def body(kind: str, *, cron: str | None = None, **parameters: Any) -> dict[str, Any]:
    when = {"type": kind} if cron is None else {"type": kind, "cron": cron}
    return {"schedule": when, "parameters": parameters}


async def test_a_collection_by_hand_is_one_execution_with_harbors_shape(admin: Caller) -> None:
    asked = body("Manual", delete_untagged=True, workers=3, delete_tag=True)
    made = await admin.post(SCHEDULE, asked)
    assert made.status == 201
    assert "parameters.delete_tag" in made.headers["Warning"]
    path = made.headers["Location"].removeprefix("/api/v2.0")
    shown = (await admin.get(path)).json
    assert path == f"/system/gc/{shown['id']}"
    assert shown["job_name"] == NAME
    assert (shown["job_kind"], shown["job_status"]) == ("MANUAL", "Pending")
    assert shown["schedule"] == {"type": "Manual"}
    assert shown["deleted"] is False
    assert json.loads(shown["job_parameters"]) == {
        "delete_untagged": True,
        "dry_run": False,
        "workers": 3,
    }


async def test_what_is_left_out_is_false_and_one_worker(admin: Caller) -> None:
    await admin.post(SCHEDULE, {"schedule": {"type": "Manual"}})
    (shown,) = (await admin.get("/system/gc")).json
    assert json.loads(shown["job_parameters"]) == {
        "delete_untagged": False,
        "dry_run": False,
        "workers": 1,
    }


async def test_two_collections_may_be_under_way(admin: Caller) -> None:
    for _ in range(2):
        assert (await admin.post(SCHEDULE, body("Manual"))).status == 201
    history = await admin.get("/system/gc?sort=id")
    assert [one["job_status"] for one in history.json] == ["Pending", "Pending"]
    assert history.headers["X-Total-Count"] == "2"


async def test_the_history_is_filtered_sorted_and_paged(admin: Caller) -> None:
    for _ in range(3):
        await admin.post(SCHEDULE, body("Manual"))
    latest = await admin.get("/system/gc?page_size=2")
    ids = [one["id"] for one in latest.json]
    assert ids == sorted(ids, reverse=True)
    rest = await admin.get(latest.links["next"])
    assert [one["id"] for one in rest.json] == [ids[-1] - 1]
    assert [one["id"] for one in (await admin.get(f"/system/gc?q=id={ids[0]}")).json] == ids[:1]
    ignored = await admin.get("/system/gc?q=colour=red")
    assert "colour" in ignored.headers["Warning"]


async def test_the_schedule_is_set_once_changed_and_removed(admin: Caller) -> None:
    assert (await admin.get(SCHEDULE)).json == {}
    made = await admin.post(SCHEDULE, body("Daily", delete_untagged=True))
    assert (made.status, made.headers["Location"]) == (201, f"/api/v2.0{SCHEDULE}")
    shown = (await admin.get(SCHEDULE)).json
    assert shown["schedule"]["type"] == "Daily"
    assert shown["schedule"]["cron"] == "0 0 0 * * *"
    assert json.loads(shown["job_parameters"])["delete_untagged"] is True
    assert [one["vendor_type"] for one in (await admin.get("/schedules")).json] == [NAME]

    again = await admin.post(SCHEDULE, body("Weekly"))
    assert (again.status, again.code) == (409, "CONFLICT")
    assert again.messages == "garbage collection has a schedule already; change it by PUT"
    assert (await admin.get(SCHEDULE)).json["schedule"]["type"] == "Daily"

    changed = await admin.put(SCHEDULE, body("Custom", cron="0 30 2 * * 1", workers=2))
    assert changed.status == 200
    assert (await admin.get(SCHEDULE)).json["schedule"]["cron"] == "0 30 2 * * 1"
    assert (await admin.put(SCHEDULE, {"schedule": {"type": "None"}})).status == 200
    assert (await admin.get(SCHEDULE)).json == {}


async def test_the_answer_sent_back_changes_nothing(admin: Caller) -> None:
    await admin.post(SCHEDULE, body("Custom", cron="0 0 3 * * *", workers=4))
    before = (await admin.get(SCHEDULE)).json
    echo = {"schedule": before["schedule"], "parameters": json.loads(before["job_parameters"])}
    assert (await admin.put(SCHEDULE, echo)).status == 200
    assert (await admin.get(SCHEDULE)).json == before


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({}, "schedule.type: is missing"),
        (body("Yearly"), "schedule.type: 'Yearly' is not known"),
        (body("Manual", workers=0), "parameters.workers: is not a number from 1 to 10"),
        (body("Manual", workers=11), "parameters.workers"),
        pytest.param(body("Manual", workers=-3), "parameters.workers", id="a-negative-number"),
        (body("Daily", workers="2"), "parameters.workers"),
        (body("Manual", workers=True), "parameters.workers"),
        (body("Manual", dry_run="yes"), "parameters.dry_run"),
        (body("Manual", delete_untagged=1), "parameters.delete_untagged"),
        (body("Manual", transship={"colour": "red"}), "parameters.transship.colour"),
        (body("Manual", transship=[]), "parameters.transship: is no object"),
        (body("Manual", transship={"release_now": 1}), "parameters.transship.release_now"),
        (body("Daily", transship={"release_now": True}), "for a run by hand"),
        (body("Custom"), "schedule.cron"),
        (body("Custom", cron="* * * * *"), "schedule.cron"),
        pytest.param(
            body("Custom", cron="30 * * * * *"), "schedule.cron", id="a-cron-within-the-minute"
        ),
        pytest.param(
            body("Custom", cron="0 0 0 31 2 *"),
            "schedule.cron",
            id="a-cron-of-a-day-that-never-comes",
        ),
        pytest.param(
            body("Custom", cron="0 " * 5000), "schedule.cron", id="a-cron-of-five-thousand-fields"
        ),
    ],
)
async def test_what_cannot_be_is_refused_and_leaves_nothing(
    admin: Caller, asked: dict[str, Any], problem: str
) -> None:
    for call in (admin.post, admin.put):
        refused = await call(SCHEDULE, asked)
        assert refused.status == 400
        assert problem in refused.messages
    assert (await admin.get(SCHEDULE)).json == {}
    assert (await admin.get("/system/gc")).json == []


async def test_every_problem_is_named_at_once(admin: Caller) -> None:
    refused = await admin.post(SCHEDULE, body("Yearly", workers=99, dry_run=3))
    assert len(refused.json["errors"]) == 3


async def test_a_read_only_registry_starts_no_collection_but_foretells_one(
    admin: Caller, local_registry: Registry
) -> None:
    await local_registry.set_read_only(on=True)
    refused = await admin.post(SCHEDULE, body("Manual"))
    assert (refused.status, refused.code) == (412, "PRECONDITION")
    assert "read-only" in refused.messages
    assert (await admin.post(SCHEDULE, body("Manual", dry_run=True))).status == 201


async def test_a_schedule_that_is_due_while_read_only_says_why_nothing_ran(
    admin: Caller, database: Database, local_registry: Registry
) -> None:
    await admin.post(SCHEDULE, body("Daily"))
    await local_registry.set_read_only(on=True)
    await tick(database, timedelta(days=1, seconds=1))
    (schedule,) = (await admin.get("/schedules")).json
    (fire,) = (await admin.get(f"/schedules/{schedule['id']}/fires")).json
    assert fire["outcome"] == "refused"
    assert "read-only" in fire["detail"]


async def test_a_schedule_that_is_due_starts_one_with_its_parameters(
    admin: Caller, database: Database
) -> None:
    await admin.post(SCHEDULE, body("Daily", delete_untagged=True))
    await tick(database, timedelta(days=1, seconds=1))
    await tick(database, timedelta(days=2, seconds=1))
    (run,) = (await admin.get("/system/gc")).json
    assert (run["job_kind"], run["schedule"]) == ("SCHEDULE", {"type": "Schedule"})
    assert json.loads(run["job_parameters"])["delete_untagged"] is True


async def test_a_collection_is_stopped(admin: Caller) -> None:
    made = await admin.post(SCHEDULE, body("Manual"))
    path = made.headers["Location"].removeprefix("/api/v2.0")
    assert (await admin.put(path)).status == 200
    assert (await admin.get(path)).json["job_status"] == "Stopped"
    assert (await admin.get(f"{path}/log")).text == ""


async def test_an_execution_that_is_no_collection_is_none(admin: Caller, jobs_at: Jobs) -> None:
    other = await jobs_at.start([])
    for path in (f"/system/gc/{other}", f"/system/gc/{other}/log", "/system/gc/999999"):
        assert (await admin.get(path)).status == 404
    assert (await admin.put(f"/system/gc/{other}")).status == 404


async def test_who_started_scheduled_and_stopped_is_in_the_audit_log(admin: Caller) -> None:
    made = await admin.post(SCHEDULE, body("Manual"))
    await admin.put(made.headers["Location"].removeprefix("/api/v2.0"))
    await admin.post(SCHEDULE, body("Daily"))
    await admin.put(SCHEDULE, {"schedule": {"type": "None"}})
    found = (await admin.get("/auditlog-exts?sort=id")).json
    told = [(one["operation"], one["resource_type"], one["operation_result"]) for one in found]
    assert told == [
        ("start", "garbage_collection", True),
        ("stop", "execution", True),
        ("update", "schedule", True),
        ("delete", "schedule", True),
    ]


async def test_nobody_else_may_collect(nobody: Caller, stranger: Caller) -> None:
    for path in ("/system/gc", SCHEDULE, "/system/gc/1", "/system/gc/1/log"):
        assert (await nobody.get(path)).status == 403
        assert (await stranger.get(path)).status == 401
    assert (await nobody.post(SCHEDULE, body("Manual"))).status == 403
    assert (await nobody.put("/system/gc/1")).status == 403
