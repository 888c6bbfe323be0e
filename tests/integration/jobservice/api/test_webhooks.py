"""Harbor's webhook policies of the whole installation."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from database.pool import Database
from jobservice import executions
from tests.integration.jobservice.api.caller import Caller

POLICIES = "/system/webhook/policies"
ADDRESS = "http://127.0.0.1:9/hook"


def body(**changes: Any) -> dict[str, Any]:
    target = {"type": "http", "address": ADDRESS, "auth_header": "Bearer hidden-from-readers"}
    target |= changes.pop("target", {})
    return {
        "name": "ops",
        "event_types": ["REPLICATION"],
        "targets": [target],
        "enabled": True,
        **changes,
    }


async def created(admin: Caller, **changes: Any) -> str:
    answer = await admin.post(POLICIES, body(**changes))
    assert answer.status == 201, answer.text
    return f"{POLICIES}/{answer.headers['Location'].rpartition('/')[2]}"


async def test_a_hook_is_read_as_harbor_shows_it(admin: Caller) -> None:
    path = await created(admin, target={"transship": {"secret": "for signing"}})
    shown = (await admin.get(path)).json
    assert shown["project_id"] == 0
    assert shown["creator"] == "admin"
    assert shown["event_types"] == ["REPLICATION"]
    assert shown["targets"] == [
        {
            "type": "http",
            "address": ADDRESS,
            "auth_header": "*****",
            "skip_cert_verify": False,
            "payload_format": "Default",
            "transship": {"secret": "*****"},
        }
    ]
    assert shown["transship"] == {"per_task": False, "statuses": []}
    (listed,) = (await admin.get(POLICIES, params={"q": "name=ops"})).json
    assert listed == shown


async def test_no_secret_is_shown_or_stored_in_clear(admin: Caller, database: Database) -> None:
    path = await created(admin, target={"transship": {"secret": "for signing"}})
    everything = (await admin.get(path)).text + (await admin.get(POLICIES)).text
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT target::text FROM jobservice.hook_targets AS target")
    everything += str(rows)
    assert "hidden-from-readers" not in everything
    assert "for signing" not in everything


async def test_reading_and_writing_back_changes_nothing(admin: Caller, database: Database) -> None:
    path = await created(admin, target={"transship": {"secret": "for signing"}})
    before = (await admin.get(path)).json
    query = "SELECT id, auth_header_sealed, secret_sealed FROM jobservice.hook_targets"
    async with database.connection() as connection:
        sealed = await connection.fetch(query)
    assert (await admin.put(path, before)).status == 200
    after = (await admin.get(path)).json
    async with database.connection() as connection:
        assert await connection.fetch(query) == sealed
    assert {**after, "update_time": ""} == {**before, "update_time": ""}


async def test_an_absent_object_of_ours_changes_nothing_and_null_resets_it(admin: Caller) -> None:
    path = await created(admin, transship={"per_task": True, "statuses": ["failed"]})
    await admin.put(path, body())
    assert (await admin.get(path)).json["transship"]["per_task"] is True
    await admin.put(path, body(transship=None))
    assert (await admin.get(path)).json["transship"] == {"per_task": False, "statuses": []}


async def test_a_secret_belongs_to_its_address(admin: Caller) -> None:
    path = await created(admin)
    moved = body(target={"address": "http://127.0.0.1:10/other", "auth_header": "*****"})
    answer = await admin.put(path, moved)
    assert answer.status == 400
    assert "targets[0].auth_header: nothing is stored for this address" in answer.messages
    del moved["targets"][0]["auth_header"]
    assert (await admin.put(path, moved)).status == 200
    assert "auth_header" not in (await admin.get(path)).json["targets"][0]


async def test_an_empty_secret_is_removed(admin: Caller) -> None:
    path = await created(admin, target={"transship": {"secret": "for signing"}})
    change = body(target={"auth_header": "", "transship": None})
    assert (await admin.put(path, change)).status == 200
    (target,) = (await admin.get(path)).json["targets"]
    assert "auth_header" not in target
    assert "transship" not in target


async def test_a_name_is_taken_once(admin: Caller) -> None:
    await created(admin)
    assert (await admin.post(POLICIES, body())).status == 409
    other = await created(admin, name="other")
    assert (await admin.put(other, body())).status == 409


async def test_everything_wrong_is_told_at_once(admin: Caller) -> None:
    answer = await admin.post(
        POLICIES,
        {
            "event_types": ["QUOTA_EXCEED", "NONSENSE"],
            "targets": [
                {"type": "pigeon", "address": "ftp://x.example"},
                {"type": "slack", "address": "https://u:p@x.example", "payload_format": "XML"},
                {"type": "http", "address": "https://[", "auth_header": "a\r\nb: c"},
            ],
            "transship": {"statuses": ["sad"]},
        },
    )
    assert answer.status == 400
    for told in (
        "name: is missing",
        "'QUOTA_EXCEED' is not built",
        "'NONSENSE' is not known",
        "targets[0].type: 'pigeon' is not known; known are http, slack, teams",
        "targets[0].address: write it as https://",
        "targets[1].payload_format: slack knows Default",
        "targets[1].address: holds a user name or password",
        "targets[2].address: does not parse",
        "targets[2].auth_header: holds control characters",
        "transship.statuses: 'sad' is not known",
    ):
        assert told in answer.messages


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"targets": []}, "targets: there are 0"),
        ({"event_types": []}, "event_types: are missing"),
        ({"project_id": 4}, "project_id: 4"),
        ({"transship": {"colour": 1}}, "transship.colour: is not known"),
        ({"name": "x" * 256}, "name: has 256 characters"),
    ],
)
async def test_what_cannot_be_is_named(admin: Caller, wrong: dict[str, Any], told: str) -> None:
    answer = await admin.post(POLICIES, body(**wrong))
    assert answer.status == 400
    assert told in answer.messages


async def test_the_same_address_twice_is_refused(admin: Caller) -> None:
    twice = body()
    twice["targets"] *= 2
    assert "is there twice" in (await admin.post(POLICIES, twice)).messages


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://169.254.169.254/latest", "link-local or metadata address"),
        ("http://[fe80::1]/", "link-local or metadata address"),
        ("http://0.0.0.0/", "unspecified address"),
        ("http://[::ffff:169.254.169.254]/", "link-local or metadata address"),
        ("http://2852039166/", "link-local or metadata address"),
    ],
)
async def test_a_metadata_address_is_refused_whatever_is_opened(
    admin: Caller, address: str, why: str
) -> None:
    answer = await admin.post(POLICIES, body(target={"address": address}))
    assert answer.status == 400
    assert "targets[0].address: hooks may not go there" in answer.messages
    assert why in answer.messages


async def test_supported_events_and_formats_are_listed(admin: Caller) -> None:
    known = (await admin.get("/system/webhook/events")).json
    assert known["event_type"] == [
        "PUSH_ARTIFACT",
        "PULL_ARTIFACT",
        "DELETE_ARTIFACT",
        "DELETE_TAG",
        "TAG_RETENTION",
        "RETENTION_APPROVAL",
        "REPLICATION",
        "EXECUTION",
        "SCHEDULE_OVERDUE",
    ]
    assert known["notify_type"] == ["http", "slack", "teams"]
    assert known["payload_formats"][0] == {
        "notify_type": "http",
        "formats": ["Default", "CloudEvents", "Distribution"],
    }


async def test_distributions_envelope_is_for_artifacts_only(admin: Caller) -> None:
    target = {"payload_format": "Distribution"}
    refused = "event_types: REPLICATION: the payload format Distribution tells of artifacts only"
    answer = await admin.post(POLICIES, body(target=target))
    assert (answer.status, answer.messages) == (400, refused)
    path = await created(admin, target=target, event_types=["PUSH_ARTIFACT", "DELETE_TAG"])
    changed = {**(await admin.get(path)).json, "event_types": ["PUSH_ARTIFACT", "REPLICATION"]}
    changed.pop("targets")
    assert (await admin.put(path, changed)).messages == refused


async def test_a_test_is_an_execution_with_a_task_and_a_delivery(admin: Caller) -> None:
    path = await created(admin)
    begun = await admin.post(f"{path}/test")
    assert begun.status == 202
    (delivery_id,) = begun.json["deliveries"]
    (execution,) = (await admin.get(f"{path}/executions")).json
    assert (execution["vendor_type"], execution["status"]) == ("WEBHOOK", "Pending")
    assert execution["metrics"]["task_count"] == execution["metrics"]["pending_task_count"] == 1
    (task,) = (await admin.get(f"{path}/executions/{execution['id']}/tasks")).json
    assert (task["status"], task["run_count"]) == ("Pending", 1)
    log = await admin.get(f"{path}/executions/{execution['id']}/tasks/{task['id']}/log")
    assert (log.status, log.text) == (200, "")
    shown = (await admin.get(f"{path}/deliveries/{delivery_id}")).json
    assert (shown["status"], shown["event_type"], shown["attempts"]) == ("pending", "TEST", 0)
    assert '"type":"TEST"' in shown["payload"]
    (listed,) = (await admin.get(f"{path}/deliveries", params={"q": "status=pending"})).json
    assert "payload" not in listed
    assert (await admin.get(f"{path}/deliveries", params={"q": "status=failed"})).json == []
    again = await admin.post(f"{path}/deliveries/{delivery_id}/redeliver")
    assert (again.status, again.code) == (412, "PRECONDITION")
    (trigger,) = (await admin.get("/system/webhook/lasttrigger")).json
    assert trigger["policy_name"] == "ops"


async def test_what_arrived_or_failed_is_sent_again(admin: Caller, database: Database) -> None:
    path = await created(admin)
    (delivery_id,) = (await admin.post(f"{path}/test")).json["deliveries"]
    (execution,) = (await admin.get(f"{path}/executions")).json
    await executions.stop(database, execution["id"])
    answer = await admin.post(f"{path}/deliveries/{delivery_id}/redeliver")
    assert answer.status == 201
    repeated = (await admin.get(answer.headers["Location"].removeprefix("/api/v2.0"))).json
    assert repeated["is_repeat"] is True
    first = (await admin.get(f"{path}/deliveries/{delivery_id}")).json
    assert (first["payload"], first["event_id"]) == (repeated["payload"], repeated["event_id"])


async def test_a_hooks_things_are_not_found_under_another(admin: Caller) -> None:
    mine, other = await created(admin), await created(admin, name="other")
    (delivery_id,) = (await admin.post(f"{mine}/test")).json["deliveries"]
    (execution,) = (await admin.get(f"{mine}/executions")).json
    assert (await admin.get(f"{other}/deliveries/{delivery_id}")).status == 404
    assert (await admin.get(f"{other}/executions/{execution['id']}/tasks")).status == 404
    assert (await admin.get(f"{other}/executions")).json == []


async def test_a_removed_hook_is_gone_with_its_deliveries(
    admin: Caller, database: Database
) -> None:
    path = await created(admin)
    await admin.post(f"{path}/test")
    assert (await admin.delete(path)).status == 200
    for gone in (path, f"{path}/executions", f"{path}/deliveries"):
        assert (await admin.get(gone)).status == 404
    assert (await admin.delete(path)).status == 404
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM jobservice.hook_deliveries") == 0


async def test_only_administrators_see_hooks(
    admin: Caller, nobody: Caller, stranger: Caller
) -> None:
    path = await created(admin)
    assert (await nobody.get(path)).status == 403
    assert (await nobody.get(f"{POLICIES}/999")).status == 403
    assert (await stranger.post(POLICIES, body())).status == 401


def test_the_address_in_the_tests_is_not_served() -> None:
    """Nothing listens at ADDRESS; saving a hook must not need its receiver."""
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", 9)) != 0


@pytest.mark.parametrize("wrong", [{"event_types": []}, {"targets": []}, {"name": ""}])
async def test_a_change_is_judged_like_a_new_hook(admin: Caller, wrong: dict[str, Any]) -> None:
    path = await created(admin)
    before = (await admin.get(path)).json
    assert (await admin.put(path, body(**wrong))).status == 400
    assert (await admin.get(path)).json == before


async def test_what_a_change_leaves_out_stays(admin: Caller) -> None:
    path = await created(admin, description="told at night")
    assert (await admin.put(path, {"enabled": True})).status == 200
    shown = (await admin.get(path)).json
    assert (shown["name"], shown["description"]) == ("ops", "told at night")
    assert shown["event_types"] == ["REPLICATION"]
    assert [target["address"] for target in shown["targets"]] == [ADDRESS]
