"""Replication policies through the API, and Harbor's traps that concern them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller

ROOT = "/replication/policies"
# What Harbor's own model leaves out of a PUT: everything that is false, zero, empty or ours.
EMPTY: tuple[Any, ...] = (False, 0, "", [], None)


@pytest.fixture
async def remote(admin: Caller, upstream: FakeRegistry) -> int:
    body = {"name": "up", "type": "docker-registry", "url": upstream.url}
    assert (await admin.post("/registries", body)).status == 201
    return 1


def policy(remote: int, **different: Any) -> dict[str, Any]:
    return {"name": "p", "src_registry": {"id": remote}, "enabled": True, **different}


async def test_a_policy_is_made_shown_and_listed(admin: Caller, remote: int) -> None:
    filters = [
        {"type": "name", "value": "library/**"},
        {"type": "tag", "value": "v*", "decoration": "excludes"},
    ]
    body = policy(
        remote,
        filters=filters,
        dest_namespace="mirror",
        dest_namespace_replace_count=1,
        speed=8,
        override=True,
        single_active_replication=True,
    )
    made = await admin.post(ROOT, body)
    assert (made.status, made.headers["Location"]) == (201, f"/api/v2.0{ROOT}/1")
    assert "Warning" not in made.headers
    shown = (await admin.get(f"{ROOT}/1")).json
    assert {name: shown[name] for name in body if name != "src_registry"} == {
        name: value for name, value in body.items() if name != "src_registry"
    }
    assert shown["src_registry"]["name"] == "up"
    assert shown["dest_registry"]["id"] == 0
    assert shown["trigger"] == {"type": "manual"}
    assert shown["transship"] == {"referrers": True, "priority": 0}
    assert (await admin.get(ROOT)).json == [shown]


async def test_what_harbors_model_reads_can_be_sent_back(admin: Caller, remote: int) -> None:
    body = policy(remote, enabled=False, override=False, speed=3)
    body["transship"] = {"referrers": False, "priority": 3}
    await admin.post(ROOT, body)
    before = (await admin.get(f"{ROOT}/1")).json
    known = {k: v for k, v in before.items() if k != "transship" and v not in EMPTY}
    known["dest_namespace_replace_count"] = before["dest_namespace_replace_count"]
    answer = await admin.put(f"{ROOT}/1", known)
    assert (answer.status, answer.headers.get("Warning")) == (200, None)
    after = (await admin.get(f"{ROOT}/1")).json
    assert {**after, "update_time": ""} == {**before, "update_time": ""}


async def test_null_resets_what_is_ours(admin: Caller, remote: int) -> None:
    await admin.post(ROOT, policy(remote, transship={"referrers": False, "priority": -2}))
    await admin.put(f"{ROOT}/1", policy(remote, transship=None))
    assert (await admin.get(f"{ROOT}/1")).json["transship"] == {"referrers": True, "priority": 0}


async def test_an_omitted_replace_count_is_minus_one(admin: Caller, remote: int) -> None:
    await admin.post(ROOT, policy(remote))
    assert (await admin.get(f"{ROOT}/1")).json["dest_namespace_replace_count"] == -1


async def test_deletion_is_read_and_both_fields_are_shown(admin: Caller, remote: int) -> None:
    made = await admin.post(ROOT, policy(remote, replicate_deletion=True))
    assert made.status == 201
    assert "replicate_deletion" in made.headers["Warning"]
    shown = (await admin.get(f"{ROOT}/1")).json
    assert (shown["deletion"], shown["replicate_deletion"]) == (False, False)


async def test_a_negative_speed_is_no_limit(admin: Caller, remote: int) -> None:
    await admin.post(ROOT, policy(remote, speed=-5))
    assert (await admin.get(f"{ROOT}/1")).json["speed"] == 0


EVENTS: dict[str, Any] = {"trigger": {"type": "event_based"}}


async def test_a_policy_that_follows_this_registrys_events_is_shown_as_it_was_sent(
    admin: Caller, remote: int
) -> None:
    body = policy(remote, src_registry=None, dest_registry={"id": remote}, deletion=True, **EVENTS)
    assert (await admin.post(ROOT, body)).status == 201
    shown = (await admin.get(f"{ROOT}/1")).json
    assert shown["trigger"]["type"] == "event_based"
    assert (shown["deletion"], shown["src_registry"]["id"]) == (True, 0)


@pytest.mark.parametrize(
    ("different", "part"),
    [
        ({"name": None}, "name: is missing"),
        ({"name": "x" * 257}, "name: has 257"),
        ({"src_registry": None}, "both ends are this registry"),
        ({"src_registry": {"id": 0}, "dest_registry": {"id": 0}}, "both ends"),
        ({"src_registry": {"id": 9}}, "src_registry: registry 9 not found"),
        ({"dest_registry": {"id": 1}}, "onto itself"),
        ({"dest_namespace": "UPPER"}, "dest_namespace"),
        ({"dest_namespace": "a//b"}, "dest_namespace"),
        ({"dest_namespace_replace_count": -2}, "dest_namespace_replace_count"),
        ({"dest_namespace_replace_count": 128}, "dest_namespace_replace_count"),
        ({"filters": [{"type": "name", "value": "[a"}]}, "filters[0].value"),
        ({"filters": [{"type": "tag", "value": "{a"}]}, "filters[0].value"),
        ({"filters": [{"type": "size", "value": "1"}]}, "'size' is not known"),
        ({"filters": [{"type": "label", "value": ["a"]}]}, "filters[0].type: 'label'"),
        ({"filters": [{"type": "resource", "value": "image"}]}, "'resource'"),
        ({"filters": [{"type": "name", "value": "a", "decoration": "excludes"}]}, "takes none"),
        ({"filters": [{"type": "tag", "value": "a", "decoration": "not"}]}, "'not'"),
        ({"filters": [{"type": "tag", "value": ["a"]}]}, "must be text"),
        ({"trigger": {"type": "sometimes"}}, "trigger.type"),
        (EVENTS, "'event_based' follows what happens in this registry"),
        ({**EVENTS, "single_active_replication": True}, "does not go with an event_based trigger"),
        ({"trigger": {"type": "manual", "trigger_settings": {"cron": "0 0 * * * *"}}}, "cron"),
        ({"deletion": True}, "deletion: true has an effect with an event_based trigger only"),
        ({"copy_by_chunk": True}, "copy_by_chunk: true is not built"),
        ({"transship": {"referers": True}}, "transship.referers: is not known"),
        ({"transship": {"referrers": 1}}, "transship.referrers"),
        ({"transship": {"priority": 10}}, "transship.priority"),
        ({"enabled": "yes"}, "enabled"),
        ({"speed": 2**40}, "speed"),
    ],
)
async def test_bad_policies_are_refused_with_a_sentence(
    admin: Caller, remote: int, different: dict[str, Any], part: str
) -> None:
    refused = await admin.post(ROOT, policy(remote, **different))
    assert (refused.status, refused.code) == (400, "BAD_REQUEST")
    assert part in refused.messages
    assert (await admin.get(ROOT)).json == []


async def test_what_is_unknown_within_ours_is_refused_all_at_once(
    admin: Caller, remote: int
) -> None:
    refused = await admin.post(ROOT, policy(remote, transship={"a": 1, "b": 2}))
    assert len(refused.json["errors"]) == 2


async def test_what_is_unknown_on_harbors_paths_is_ignored_aloud(
    admin: Caller, remote: int
) -> None:
    body = policy(remote, colour="red", src_registry={"id": remote, "shape": "round"})
    made = await admin.post(f"{ROOT}?size=9", body)
    assert made.status == 201
    assert made.headers["Warning"].startswith("299 transship ")
    for name in ("colour", "src_registry.shape", "size"):
        assert name in made.headers["Warning"]


async def test_a_name_is_given_once(admin: Caller, remote: int) -> None:
    await admin.post(ROOT, policy(remote))
    await admin.post(ROOT, policy(remote, name="q"))
    assert (await admin.post(ROOT, policy(remote))).status == 409
    assert (await admin.put(f"{ROOT}/2", policy(remote))).status == 409


async def test_a_policy_between_two_remotes_is_ours_to_allow(
    admin: Caller, remote: int, upstream: FakeRegistry
) -> None:
    body = {"name": "other", "type": "docker-registry", "url": upstream.url}
    await admin.post("/registries", body)
    made = await admin.post(ROOT, policy(remote, dest_registry={"id": 2}))
    assert made.status == 201


async def test_a_policy_is_deleted(admin: Caller, remote: int) -> None:
    await admin.post(ROOT, policy(remote))
    assert (await admin.delete(f"{ROOT}/1")).status == 200
    for method in ("GET", "DELETE"):
        assert (await admin.call(method, f"{ROOT}/1")).status == 404
    assert (await admin.put(f"{ROOT}/1", policy(remote))).status == 404


async def test_policies_are_found_by_name_and_end(admin: Caller, remote: int) -> None:
    for name in ("nightly", "weekly"):
        await admin.post(ROOT, policy(remote, name=name))
    assert [p["name"] for p in (await admin.get(f"{ROOT}?name=night")).json] == ["nightly"]
    by_end = await admin.get(ROOT, params={"q": "dest_registry_id=0,src_registry_id=1"})
    assert by_end.headers["X-Total-Count"] == "2"
