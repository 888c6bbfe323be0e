"""Harbor's tag `Retention` on a real Postgres: what its clients send, and what they get."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from access.identity import SYSTEM
from database.pool import Database
from registry.service import Registry
from tests.integration.jobservice.api.caller import Answer, Caller
from tests.integration.jobservice.retention_house import NIGHTLY, artifact, rule


@pytest.fixture
async def project(admin: Caller) -> int:
    made = await admin.post("/projects", {"project_name": "team"})
    return int(made.headers["Location"].rpartition("/")[2])


def body(project: int, *rules: dict[str, Any], cron: str = "", **fields: Any) -> dict[str, Any]:
    """What Harbor's console sends."""
    return {
        "algorithm": "or",
        "rules": list(rules) or [rule()],
        "trigger": {"kind": "Schedule", "references": {}, "settings": {"cron": cron}},
        "scope": {"level": "project", "ref": project},
        **fields,
    }


async def made(admin: Caller, project: int, *rules: dict[str, Any], **fields: Any) -> int:
    answer = await admin.post("/retentions", body(project, *rules, **fields))
    assert answer.status == 201, answer.text
    return int(answer.headers["Location"].rpartition("/")[2])


async def push(registry: Registry, *tags: str, repository: str = "team/app") -> None:
    for tag in tags:
        store = registry.repository(repository, SYSTEM)
        await store.put_manifest(artifact(f"{repository}:{tag}"), tags=[tag])


async def test_the_metadata_are_harbors(admin: Caller) -> None:
    found = (await admin.get("/retentions/metadatas")).json
    assert [one["rule_template"] for one in found["templates"]] == [
        "latestPushedK",
        "latestPulledN",
        "nDaysSinceLastPush",
        "nDaysSinceLastPull",
        "always",
    ]
    assert found["templates"][0] == {
        "rule_template": "latestPushedK",
        "display_text": "the most recently pushed # artifacts",
        "action": "retain",
        "params": [{"type": "int", "unit": "COUNT", "required": True}],
    }
    assert found["tag_selectors"][0]["decorations"] == ["matches", "excludes"]


async def test_a_policy_is_kept_as_harbor_keeps_it(admin: Caller, project: int) -> None:
    identity = await made(admin, project, rule(count=10), cron=NIGHTLY)
    found = (await admin.get(f"/retentions/{identity}")).json
    assert (found["id"], found["algorithm"]) == (identity, "or")
    assert found["scope"] == {"level": "project", "ref": project}
    assert found["trigger"]["settings"]["cron"] == NIGHTLY
    assert found["rules"][0]["params"] == {"latestPushedK": 10}
    assert (await admin.get("/projects/team")).json["metadata"]["retention_id"] == str(identity)
    (schedule,) = (await admin.get("/schedules")).json
    assert (schedule["vendor_type"], schedule["vendor_id"]) == ("RETENTION", identity)
    # What was read is sent back as it is, and nothing changes.
    assert (await admin.put(f"/retentions/{identity}", found)).status == 200
    assert (await admin.get(f"/retentions/{identity}")).json == found
    theirs = {name: value for name, value in found.items() if name != "transship"}
    assert (await admin.put(f"/retentions/{identity}", theirs)).status == 200
    assert (await admin.get(f"/retentions/{identity}")).json == found
    (listed,) = (await admin.get("/retentions", params={"q": f"project_id={project}"})).json
    assert listed == found
    metadata = (await admin.get("/projects/team")).json["metadata"]
    assert (await admin.put("/projects/team", {"metadata": metadata})).status == 200
    assert (await admin.delete(f"/retentions/{identity}")).status == 200
    assert (await admin.get(f"/retentions/{identity}")).status == 404
    assert (await admin.get("/schedules")).json == []
    assert "retention_id" not in (await admin.get("/projects/team")).json["metadata"]


async def test_our_own_rules_are_kept_beside_harbors(admin: Caller, project: int) -> None:
    own = {
        "rules": [{"action": "delete", "unless": {"newest": {"count": 3, "by": "semver"}}}],
        "scope": "tag",
        "guard_percent": 20,
    }
    identity = await made(admin, project, transship=own)
    found = (await admin.get(f"/retentions/{identity}")).json["transship"]
    assert found["rules"][0]["unless"] == {"newest": {"count": 3, "by": "semver"}}
    assert (found["scope"], found["guard_percent"]) == ("tag", 20)
    # An absent object changes nothing, null resets it.
    await admin.put(f"/retentions/{identity}", body(project))
    assert (await admin.get(f"/retentions/{identity}")).json["transship"] == found
    await admin.put(f"/retentions/{identity}", body(project, transship=None))
    reset = (await admin.get(f"/retentions/{identity}")).json["transship"]
    assert reset == {"rules": [], "scope": "digest", "guard_percent": 50}


async def refused(admin: Caller, sent: dict[str, Any], status: int = 400) -> Answer:
    answer = await admin.post("/retentions", sent)
    assert answer.status == status, answer.text
    return answer


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rules": [rule(count=number) for number in range(1, 17)]}, "16 rules; at most 15"),
        ({"rules": [rule("newestPushedK")]}, "rules[0].template: 'newestPushedK' is not known"),
        pytest.param(
            {"rules": [rule(count=-1)]}, "rules[0].params.latestPushedK: -1 is not between 0 and",
            id="a-negative-count",
        ),
        ({"rules": [rule(action="delete")]}, "rules[0].action: 'delete' is not known"),
        ({"rules": [rule(tags="{a")]}, "rules[0].tag_selectors[0].pattern"),
        ({"algorithm": "and"}, "algorithm: 'and' is not known"),
        ({"scope": {"level": "project"}}, "scope.ref: is missing"),
        ({"scope": {"level": "project", "ref": 99}}, "scope.ref: project 99 not found"),
        ({"scope": {"level": "system", "ref": 1}}, "scope.level: 'system' is not known"),
        ({"trigger": {"kind": "Event"}}, "trigger.kind: 'Event' is not known"),
        pytest.param(
            {"trigger": {"settings": {"cron": "* * * * * *"}}}, "trigger.settings.cron",
            id="a-cron-of-every-second",
        ),
        pytest.param(
            {"trigger": {"settings": {"cron": "0 0 31 2 * *"}}}, "trigger.settings.cron",
            id="a-cron-of-no-hour",
        ),
        ({"trigger": {"settings": {"cron": 5}}}, "trigger.settings.cron: is not text"),
        ({"transship": {"guard_percent": 0}}, "transship.guard_percent"),
        pytest.param(
            {"transship": {"guard_percent": -5}}, "transship.guard_percent",
            id="a-negative-guard",
        ),
        ({"transship": {"scope": "layer"}}, "transship.scope"),
        ({"transship": {"unknown": 1}}, "transship.unknown: is not known"),
        ({"transship": {"schedule": {"jitter_seconds": 5}}}, "has no effect without"),
        pytest.param(
            {"transship": {"rules": [{"action": "keep"}, {"action": "delete"}]}},
            "deletes nothing: transship rule 1 keeps everything",
            id="rules-that-contradict",
        ),
        pytest.param(
            {"transship": {"rules": [{"action": "delete", "unless": {"newest": {
                "count": 1, "group": "(" * 40 + "a+" + ")+" * 40}}}]}},
            "transship.rules[0].unless.newest.group",
            id="an-expression-that-would-explode",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_name(
    admin: Caller, project: int, change: dict[str, Any], told: str
) -> None:
    answer = await refused(admin, {**body(project), **change})
    assert told in answer.messages
    assert (await admin.get("/retentions")).json == []


async def test_everything_that_is_wrong_is_told_at_once(admin: Caller, project: int) -> None:
    sent = body(project, rule("no"), rule(count=-1), algorithm="and", cron="never")
    answer = await refused(admin, sent)
    assert len(answer.json["errors"]) >= 4


async def test_two_rules_that_say_the_same_are_a_conflict(admin: Caller, project: int) -> None:
    answer = await refused(admin, body(project, rule(), rule()), 409)
    assert answer.code == "CONFLICT"
    assert "rules 1 and 2 say the same" in answer.messages


async def test_a_project_has_one_policy(admin: Caller, project: int) -> None:
    identity = await made(admin, project)
    answer = await refused(admin, body(project))
    assert f"project team has retention policy {identity}" in answer.messages
    other = await admin.post("/projects", {"project_name": "other"})
    elsewhere = body(int(other.headers["Location"].rpartition("/")[2]))
    assert (await admin.put(f"/retentions/{identity}", elsewhere)).status == 400


async def test_a_policy_is_gone_with_its_project(admin: Caller, project: int) -> None:
    identity = await made(admin, project, cron=NIGHTLY)
    assert (await admin.delete("/projects/team")).status == 200
    assert (await admin.get(f"/retentions/{identity}")).status == 404
    assert (await admin.put(f"/retentions/{identity}", body(project))).status == 404
    run = await admin.post(f"/retentions/{identity}/executions", {"dry_run": True})
    assert run.status == 404


async def test_the_regular_expression_of_a_project_is_its_policys_alone(
    admin: Caller, project: int
) -> None:
    identity = await made(admin, project)
    other = {"metadata": {"retention_id": str(identity + 1)}}
    answer = await admin.put("/projects/team", other)
    assert answer.status == 400
    assert "metadata.retention_id" in answer.messages


async def test_a_run_is_started_listed_and_stopped_as_in_harbor(
    admin: Caller, project: int
) -> None:
    identity = await made(admin, project)
    path = f"/retentions/{identity}/executions"
    started = await admin.post(path, {"dry_run": True})
    assert started.status == 201
    execution = int(started.headers["Location"].rpartition("/")[2])
    assert started.headers["Location"] == f"/api/v2.0{path}/{execution}"
    (listed,) = (await admin.get(path)).json
    shown = {name: listed[name] for name in ("id", "policy_id", "status", "trigger", "dry_run")}
    assert shown == {
        "id": execution,
        "policy_id": identity,
        "status": "Pending",
        "trigger": "MANUAL",
        "dry_run": True,
    }
    assert listed["transship"]["pending_approval"] is False
    none = await admin.call("PATCH", f"{path}/{execution}", {})
    assert none.messages == "action: is missing; known are stop, approve, reject"
    odd = await admin.call("PATCH", f"{path}/{execution}", {"action": "pause"})
    assert (odd.status, "stop, approve, reject" in odd.messages) == (400, True)
    early = await admin.call("PATCH", f"{path}/{execution}", {"action": "approve"})
    assert (early.status, early.code) == (412, "PRECONDITION")
    assert (await admin.delete(f"/retentions/{identity}")).status == 412
    stopped = await admin.call("PATCH", f"{path}/{execution}", {"action": "stop"})
    assert stopped.status == 200
    assert (await admin.get(f"{path}/{execution}")).json["status"] == "Stopped"
    assert (await admin.get(f"{path}/{execution}/tasks")).json == []
    assert (await admin.get(f"{path}/{execution}/tasks/77")).status == 404
    assert (await admin.get(f"/retentions/{identity + 1}/executions")).status == 404
    assert (await admin.get(f"{path}/{execution + 1}")).status == 404


async def test_nobody_but_administrators_may(nobody: Caller, stranger: Caller) -> None:
    for path in ("/retentions", "/retentions/1", "/retentions/1/preview", "/retentions/metadatas"):
        assert (await nobody.get(path)).status == 403
        assert (await stranger.get(path)).status == 401


async def test_a_preview_tells_what_would_go_and_why(
    admin: Caller, project: int, local_registry: Registry
) -> None:
    await push(local_registry, "1.0", "1.1", "1.2")
    await push(local_registry, "1.0", repository="team/other")
    rules = rule(repositories="app"), rule(repositories="ap")
    identity = await made(admin, project, *rules, cron=NIGHTLY)
    found = (await admin.get(f"/retentions/{identity}/preview")).json
    assert (found["candidates"], found["doomed"]) == (3, 2)
    assert found["left_alone"] == {"count": 1, "examples": ["team/other"]}
    assert found["remarks"] == ["rule 2 is about 0 of 2 repositories"]
    (repository,) = found["repositories"]
    told = {one["tags"][0]: (one["action"], one["reason"]) for one in repository["artifacts"]}
    assert told["1.0"] == ("delete", "goes: no rule keeps it")
    assert told["1.2"] == ("keep", "kept by rule 1: 1st newest of 3")
    assert found["asks"] == ["deletes 2 of 3 artifacts, more than 50 %"]
    lines = await admin.get(f"/retentions/{identity}/preview", params={"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(lines.text)))
    assert [(row["action"], row["tags"]) for row in rows if row["action"] == "delete"] == [
        ("delete", "1.1"),
        ("delete", "1.0"),
    ]
    page = await admin.get(f"/retentions/{identity}/preview", params={"format": "html"})
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "2 of 3 would go" in page.text
    table = await admin.get(f"/retentions/{identity}/preview", params={"format": "text"})
    assert table.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "NOTE: rule 2 is about 0 of 2 repositories" in table.text
    odd = await admin.get(f"/retentions/{identity}/preview", params={"format": "pdf"})
    assert odd.status == 400


async def test_a_policy_is_tried_before_it_is_saved(
    admin: Caller, project: int, local_registry: Registry, database: Database
) -> None:
    await push(local_registry, "1.0", "1.1")
    answer = await admin.post("/retentions/preview", body(project))
    assert answer.json["doomed"] == 1
    assert "policy_id" not in answer.json
    assert (await admin.get("/retentions")).json == []
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM jobservice.executions") == 0
    assert (await admin.post("/retentions/preview", body(99))).status == 400
    wrong = await admin.post("/retentions/preview", body(project, rule("no")))
    assert wrong.status == 400
