"""Scheduled policies and Harbor's tag `schedule` through the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from database.pool import Database
from jobservice import pauses, starters
from jobservice.domain.pause import Held, PauseScope
from jobservice.maintenance.scheduler import Scheduler
from jobservice.store import schedules as schedule_rows
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller

POLICIES = "/replication/policies"
NIGHTLY = "0 30 2 * * *"
OURS = {
    "time_zone": "Europe/Berlin",
    "jitter_seconds": 120,
    "misfire": "skip",
    "ends_at": "2090-01-01T00:00:00Z",
}
PLAIN = {"time_zone": "UTC", "jitter_seconds": 0, "misfire": "run_once"}
EMPTY: tuple[Any, ...] = (False, 0, "", [], None)


@pytest.fixture
async def remote(admin: Caller, upstream: FakeRegistry) -> int:
    body = {"name": "up", "type": "docker-registry", "url": upstream.url}
    assert (await admin.post("/registries", body)).status == 201
    return 1


def policy(remote: int, cron: str | None = NIGHTLY, **different: Any) -> dict[str, Any]:
    trigger = {"type": "scheduled", "trigger_settings": {"cron": cron}}
    usual = {"name": "p", "src_registry": {"id": remote}, "enabled": True, "trigger": trigger}
    return {**usual, **different}


async def schedules(admin: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await admin.get("/schedules")).json
    return found


async def tick(database: Database, later: timedelta) -> None:
    """Let the scheduler look as if it were later."""

    async def clock(connection: Any) -> datetime:
        return await schedule_rows.now(connection) + later

    await Scheduler(database, starters.build(), clock=clock).tick()


async def test_a_scheduled_policy_has_a_schedule_with_its_next_five_runs(
    admin: Caller, remote: int
) -> None:
    made = await admin.post(POLICIES, policy(remote, transship={"schedule": OURS}))
    assert made.status == 201
    shown = (await admin.get(f"{POLICIES}/1")).json
    assert shown["trigger"] == {"type": "scheduled", "trigger_settings": {"cron": NIGHTLY}}
    assert shown["transship"] == {"referrers": True, "priority": 0, "schedule": OURS}
    (schedule,) = await schedules(admin)
    assert (schedule["vendor_type"], schedule["vendor_id"]) == ("REPLICATION", 1)
    assert schedule["cron"] == NIGHTLY
    ours = schedule["transship"]
    assert {name: ours[name] for name in OURS} == OURS
    assert (ours["enabled"], ours["is_overdue"]) == (True, False)
    assert len(ours["next_runs"]) == 5
    first, due = (datetime.fromisoformat(t) for t in (ours["next_runs"][0], ours["next_fire_at"]))
    assert timedelta() <= due - first <= timedelta(seconds=120)
    assert (await admin.get(f"/schedules/{schedule['id']}")).json == schedule


async def test_what_harbors_model_reads_of_a_scheduled_policy_can_be_sent_back(
    admin: Caller, remote: int
) -> None:
    await admin.post(POLICIES, policy(remote, transship={"schedule": OURS}))
    before = (await admin.get(f"{POLICIES}/1")).json, await schedules(admin)
    known = {k: v for k, v in before[0].items() if k != "transship" and v not in EMPTY}
    answer = await admin.put(f"{POLICIES}/1", known)
    assert (answer.status, answer.headers.get("Warning")) == (200, None)
    after = (await admin.get(f"{POLICIES}/1")).json, await schedules(admin)
    assert {**after[0], "update_time": ""} == {**before[0], "update_time": ""}
    assert after[1] == before[1]


async def test_null_resets_what_is_said_beside_the_expression(admin: Caller, remote: int) -> None:
    await admin.post(POLICIES, policy(remote, transship={"schedule": OURS}))
    await admin.put(f"{POLICIES}/1", policy(remote, transship=None))
    assert (await admin.get(f"{POLICIES}/1")).json["transship"]["schedule"] == PLAIN


async def test_a_schedule_keeps_in_step_with_its_policy(admin: Caller, remote: int) -> None:
    await admin.post(POLICIES, policy(remote, transship={"schedule": OURS}))
    (first,) = await schedules(admin)
    await admin.put(f"{POLICIES}/1", policy(remote, "0 0 4 * * 1"))
    (changed,) = await schedules(admin)
    assert (changed["id"], changed["cron"]) == (first["id"], "0 0 4 * * 1")
    assert changed["transship"]["next_runs"] != first["transship"]["next_runs"]
    await admin.put(f"{POLICIES}/1", policy(remote, enabled=False))
    (disabled,) = await schedules(admin)
    assert (disabled["transship"]["enabled"], disabled["transship"]["next_runs"]) == (False, [])
    assert "next_fire_at" not in disabled["transship"]
    await admin.put(f"{POLICIES}/1", policy(remote))
    (enabled,) = await schedules(admin)
    assert len(enabled["transship"]["next_runs"]) == 5
    # Another trigger: what was said of the schedule goes with it.
    await admin.put(f"{POLICIES}/1", policy(remote, trigger={"type": "manual"}))
    assert await schedules(admin) == []
    await admin.put(f"{POLICIES}/1", policy(remote))
    assert (await admin.get(f"{POLICIES}/1")).json["transship"]["schedule"] == PLAIN
    await admin.delete(f"{POLICIES}/1")
    assert await schedules(admin) == []


async def test_a_policy_that_is_refused_leaves_its_schedule_alone(
    admin: Caller, remote: int
) -> None:
    await admin.post(POLICIES, policy(remote))
    before = await schedules(admin)
    refused = await admin.put(f"{POLICIES}/1", policy(remote, "0 * * * * *", name=""))
    assert refused.status == 400
    assert await schedules(admin) == before


async def test_a_scheduled_policy_starts_by_itself(
    admin: Caller, remote: int, database: Database
) -> None:
    await admin.post(POLICIES, policy(remote))
    (schedule,) = await schedules(admin)
    await tick(database, timedelta(days=1, seconds=1))
    (execution,) = (await admin.get("/replication/executions")).json
    assert (execution["policy_id"], execution["trigger"]) == (1, "scheduled")
    fires = await admin.get(f"/schedules/{schedule['id']}/fires")
    assert fires.headers["X-Total-Count"] == "1"
    (fire,) = fires.json
    assert (fire["outcome"], fire["execution_id"]) == ("started", execution["id"])
    assert datetime.fromisoformat(fire["fire_time"]).strftime("%H:%M:%S") == "02:30:00"
    assert (await schedules(admin))[0]["transship"]["last_fire_at"] == fire["fired_at"]
    # It has not begun when the next one is due: that would do the same.
    await tick(database, timedelta(days=2, seconds=1))
    refused, _ = (await admin.get(f"/schedules/{schedule['id']}/fires")).json
    assert (refused["outcome"], "has not begun yet" in refused["detail"]) == ("refused", True)
    assert len((await admin.get("/replication/executions")).json) == 1


async def test_a_policy_that_runs_one_execution_at_a_time_is_refused_while_one_runs(
    admin: Caller, remote: int, database: Database
) -> None:
    await admin.post(POLICIES, policy(remote, single_active_replication=True))
    assert (await admin.post("/replication/executions", {"policy_id": 1})).status == 201
    await tick(database, timedelta(days=1, seconds=1))
    (schedule,) = await schedules(admin)
    (fire,) = (await admin.get(f"/schedules/{schedule['id']}/fires")).json
    assert fire["outcome"] == "refused"
    assert "runs one execution at a time" in fire["detail"]


@pytest.mark.parametrize(
    ("different", "part"),
    [
        ({"cron": None}, "trigger.trigger_settings.cron: has 0 fields"),
        ({"cron": "0 5 * * *"}, "trigger.trigger_settings.cron: has 5 fields"),
        ({"cron": "30 5 * * * *"}, "cron: the second is '30', it must be 0"),
        ({"cron": "0 * * * * *"}, "cron: the minute may not be * for replication"),
        ({"cron": "0 ? * * * *"}, "cron: the minute may not be *"),
        ({"cron": "0 0 0 31 2 *"}, "never comes"),
        ({"cron": "@daily"}, "shorthand"),
        ({"cron": "0 0 0 L * *"}, "the day 'L'"),
        ({"schedule": {"time_zone": "Mars"}}, "transship.schedule.time_zone: 'Mars' is no time"),
        ({"schedule": {"jitter_seconds": -1}}, "transship.schedule.jitter_seconds: -1"),
        ({"schedule": {"jitter_seconds": 10**30}}, "transship.schedule.jitter_seconds"),
        ({"schedule": {"misfire": "twice"}}, "transship.schedule.misfire"),
        ({"schedule": {"ends_at": "2030-01-01T00:00:00"}}, "transship.schedule.ends_at"),
        ({"schedule": {"ends_at": "0001-01-01T00:00:00+14:00"}}, "transship.schedule.ends_at"),
        ({"schedule": {"zone": "UTC"}}, "transship.schedule.zone: is not known"),
        (
            {"trigger": {"type": "manual"}, "schedule": {"jitter_seconds": 1}},
            "transship.schedule: is only for a scheduled trigger",
        ),
    ],
)
async def test_bad_schedules_are_refused_with_a_sentence(
    admin: Caller, remote: int, different: dict[str, Any], part: str
) -> None:
    cron = different.pop("cron", NIGHTLY)
    schedule = different.pop("schedule", {})
    body = policy(remote, cron, transship={"schedule": schedule}, **different)
    refused = await admin.post(POLICIES, body)
    assert (refused.status, refused.code) == (400, "BAD_REQUEST")
    assert part in refused.messages
    assert await schedules(admin) == []


async def test_any_expression_is_previewed(admin: Caller) -> None:
    asked = {"cron": "0 30 2 ? * mon", "time_zone": "Europe/Berlin"}
    shown = (await admin.get("/schedules/preview", params=asked)).json
    assert (shown["cron"], shown["time_zone"]) == ("0 30 2 ? * mon", "Europe/Berlin")
    assert len(shown["next_runs"]) == len(shown["wall_times"]) == 5
    for wall_time in shown["wall_times"]:
        assert wall_time.startswith("Mon ")
        assert wall_time.endswith((" 02:30 CET", " 02:30 CEST", " 03:00 CEST"))


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ({}, "cron: is missing"),
        ({"cron": "0 0 0 31 2 *"}, "cron: the day '31' never comes"),
        ({"cron": "0 1--100000000 * * * *"}, "cron: the minute"),
        ({"cron": NIGHTLY, "time_zone": "europe/berlin"}, "did you mean Europe/Berlin?"),
        ({"cron": NIGHTLY, "zone": "UTC"}, "zone: is not known"),
        ({"cron": NIGHTLY, "time_zone": "../../etc/passwd"}, "time_zone"),
    ],
)
async def test_what_cannot_be_previewed_is_refused_with_a_sentence(
    admin: Caller, query: dict[str, str], part: str
) -> None:
    refused = await admin.get("/schedules/preview", params=query)
    assert refused.status == 400
    assert part in refused.messages


async def test_paused_schedules_say_so(admin: Caller, remote: int, database: Database) -> None:
    await admin.post(POLICIES, policy(remote))
    assert (await admin.get("/schedules/all/paused")).json == {"paused": False}
    await pauses.pause(database, Held(scope=PauseScope.SCHEDULES), by="alice", comment="a move")
    assert (await admin.get("/schedules/ALL/paused")).json == {"paused": True}
    (schedule,) = await schedules(admin)
    pause = schedule["transship"]["pause"]
    assert (pause["paused_by"], pause["comment"]) == ("alice", "a move")
    await tick(database, timedelta(days=2))
    assert (await admin.get("/replication/executions")).json == []


async def test_schedules_are_paused_and_go_on(admin: Caller, remote: int) -> None:
    await admin.post(POLICIES, policy(remote))
    for comment in ("a move", "another"):
        body = {"paused": True, "comment": comment}
        assert (await admin.put("/schedules/all/paused", body)).status == 200
    (schedule,) = await schedules(admin)
    pause = schedule["transship"]["pause"]
    assert (pause["paused_by"], pause["comment"]) == ("admin", "a move")
    for _ in range(2):
        assert (await admin.put("/schedules/all/paused", {"paused": False})).status == 200
    assert (await admin.get("/schedules/all/paused")).json == {"paused": False}


async def test_schedules_are_paused_all_at_once(admin: Caller) -> None:
    for refused in (
        await admin.get("/schedules/REPLICATION/paused"),
        await admin.put("/schedules/REPLICATION/paused", {"paused": True}),
    ):
        assert refused.status == 400
        assert "ask for `all`" in refused.messages


@pytest.mark.parametrize("body", [{}, {"paused": "yes"}, {"paused": True, "comment": "x" * 1001}])
async def test_what_pauses_nothing_is_refused(admin: Caller, body: dict[str, Any]) -> None:
    assert (await admin.put("/schedules/all/paused", body)).status == 400
    assert (await admin.get("/schedules/all/paused")).json == {"paused": False}


async def test_what_is_not_there_is_not_found(admin: Caller) -> None:
    for path in ("/schedules/7", "/schedules/7/fires"):
        assert (await admin.get(path)).status == 404


async def test_schedules_are_found_sorted_and_paged(admin: Caller, remote: int) -> None:
    for number in range(3):
        await admin.post(POLICIES, policy(remote, f"0 {number} 3 * * *", name=f"p{number}"))
    page = await admin.get("/schedules", params={"sort": "-id", "page_size": "2"})
    assert [one["vendor_id"] for one in page.json] == [3, 2]
    assert page.headers["X-Total-Count"] == "3"
    assert 'rel="next"' in page.headers["Link"]
    found = await admin.get("/schedules", params={"q": "vendor_id=2"})
    assert [one["cron"] for one in found.json] == ["0 1 3 * * *"]
    onwards = await admin.get(page.links["next"])
    assert [one["vendor_id"] for one in onwards.json] == [1]


async def test_schedules_are_found_by_what_they_start(admin: Caller, remote: int) -> None:
    await admin.post(POLICIES, policy(remote))
    purge = {
        "schedule": {"type": "Daily", "cron": NIGHTLY},
        "parameters": {"audit_retention_hour": 24},
    }
    assert (await admin.post("/system/purgeaudit/schedule", purge)).status == 201
    everything = [one["vendor_type"] for one in (await admin.get("/schedules")).json]
    assert len(everything) == 2
    for q, expected in (
        ("vendor_type=REPLICATION", ["REPLICATION"]),
        ("vendor_type=replication", ["REPLICATION"]),
        ("vendor_type=~Repl", ["REPLICATION"]),
        (f"vendor_type={{{' '.join(everything)}}}", everything),
        ("vendor_type=SCAN_ALL", []),
    ):
        found = await admin.get("/schedules", params={"q": q})
        assert [one["vendor_type"] for one in found.json] == expected, q
    assert (await admin.get("/schedules", params={"q": "vendor_type=[A~Z]"})).status == 400


async def test_fire_times_are_walked_by_links(
    admin: Caller, remote: int, database: Database
) -> None:
    await admin.post(POLICIES, policy(remote))
    (schedule,) = await schedules(admin)
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO jobservice.schedule_fires (schedule_id, fire_time, fired_at, outcome,"
            " detail) SELECT $1, now() - day * interval '1 day', now(), 'skipped', 'no ' || day"
            " FROM generate_series(1, 7) AS day",
            schedule["id"],
        )
    path, details = f"/schedules/{schedule['id']}/fires?page_size=3", []
    while path:
        page = await admin.get(path)
        assert page.headers["X-Total-Count"] == "7"
        details += [fire["detail"] for fire in page.json]
        path = page.links.get("next", "")
    assert details == [f"no {day}" for day in range(1, 8)]


async def test_nobody_else_sees_schedules(nobody: Caller, stranger: Caller) -> None:
    for path in ("/schedules", "/schedules/all/paused", "/schedules/1", "/schedules/1/fires"):
        assert (await nobody.get(path)).status == 403
        assert (await stranger.get(path)).status == 401
