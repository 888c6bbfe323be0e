"""Retention policies of another registry over the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller
from tests.unit.registry.retention.examples import delete


@pytest.fixture
async def endpoint(admin: Caller, upstream: FakeRegistry) -> int:
    sent = {"name": "elsewhere", "type": "docker-registry", "url": upstream.url}
    made = await admin.post("/registries", sent)
    return int(made.headers["Location"].rpartition("/")[2])


def body(endpoint: int, *own: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"transship": {"registry_id": endpoint, "rules": list(own)}, **fields}


async def test_a_policy_of_another_registry_is_kept_found_and_changed(
    admin: Caller, endpoint: int
) -> None:
    made = await admin.post("/retentions", body(endpoint, delete("pr-*")))
    assert made.status == 201, made.text
    identity = int(made.headers["Location"].rpartition("/")[2])
    found = (await admin.get(f"/retentions/{identity}")).json
    assert found["transship"]["registry_id"] == endpoint
    assert found.get("scope") is None
    listed = (await admin.get(f"/retentions?q=registry_id={endpoint}")).json
    assert [one["id"] for one in listed] == [identity]
    # Harbor's own fields alone leave the place as it is.
    assert (await admin.put(f"/retentions/{identity}", {"algorithm": "or"})).status == 200
    assert (await admin.get(f"/retentions/{identity}")).json["transship"] == found["transship"]


async def test_a_policy_is_about_one_place(admin: Caller, endpoint: int) -> None:
    await admin.post("/projects", {"project_name": "team"})
    both = body(endpoint, delete("pr-*"), scope={"level": "project", "ref": 1})
    answer = await admin.post("/retentions", both)
    assert answer.status == 400
    assert "a policy with transship.registry_id is about no project" in answer.text


async def test_what_the_registry_does_not_tell_cannot_be_asked_for(
    admin: Caller, endpoint: int
) -> None:
    asked = body(endpoint, delete("pr-*", unless={"pushed_within_days": 3}))
    for path in ("/retentions", "/retentions/preview"):
        answer = await admin.post(path, asked)
        assert answer.status == 400
        assert "asks for the push time, which registries of kind docker-registry" in answer.text


async def test_a_preview_asks_the_registry(
    admin: Caller, upstream: FakeRegistry, endpoint: int
) -> None:
    upstream.repository("team/app").put_image("pr-1")
    upstream.repository("team/app").put_image("v1", layers=(b"kept",))
    answer = await admin.post("/retentions/preview?format=csv", body(endpoint, delete("pr-*")))
    assert answer.status == 200
    assert "pr-1" in answer.text
    assert set(upstream.repository("team/app").tags) == {"pr-1", "v1"}
