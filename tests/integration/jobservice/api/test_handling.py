"""Zones and limits of registries through the API's `transship` object."""

from __future__ import annotations

from typing import Any

import pytest

from database.pool import Database
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Answer, Caller

OURS = {"zone": "plant-a", "limits": {"concurrency": 4, "requests_per_second": 2.5}}
NONE: dict[str, Any] = {"zone": "default", "limits": {}}


async def created(admin: Caller, upstream: FakeRegistry, name: str, **ours: Any) -> Answer:
    body = {"name": name, "type": "docker-registry", "url": upstream.url}
    return await admin.post("/registries", body | ours)


async def transship(admin: Caller) -> Any:
    return (await admin.get("/registries/1")).json["transship"]


async def test_a_registrys_zone_and_limits_are_set_kept_and_reset(
    admin: Caller, upstream: FakeRegistry
) -> None:
    assert (await created(admin, upstream, "a", transship=OURS)).status == 201
    assert await transship(admin) == OURS
    await admin.put("/registries/1", {"description": "absent changes nothing"})
    assert await transship(admin) == OURS
    await admin.put("/registries/1", {"transship": {"limits": {"concurrency": 1}}})
    assert await transship(admin) == {"zone": "default", "limits": {"concurrency": 1}}
    await admin.put("/registries/1", {"transship": OURS})
    await admin.put("/registries/1", {"transship": None})
    assert await transship(admin) == NONE


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ({"zone": "Plant A"}, "transship.zone: 'Plant A'"),
        ({"limits": {"concurrency": 0}}, "transship.limits.concurrency: 0"),
        ({"limits": {"requests_per_second": -1}}, "transship.limits.requests_per_second: -1"),
        ({"limits": {"bandwidth": 1}}, "transship.limits.bandwidth: is not known"),
    ],
)
async def test_what_cannot_be_is_refused(
    admin: Caller, upstream: FakeRegistry, ours: dict[str, Any], said: str
) -> None:
    answer = await created(admin, upstream, "a", transship=ours)
    assert answer.status == 400
    assert said in answer.messages


async def test_a_policy_between_two_zones_is_refused(admin: Caller, upstream: FakeRegistry) -> None:
    await created(admin, upstream, "a", transship={"zone": "plant-a"})
    await created(admin, upstream, "b", transship={"zone": "plant-b"})
    between = {"name": "p", "src_registry": {"id": 1}, "dest_registry": {"id": 2}}
    between |= {"dest_namespace": "x"}
    refused = await admin.post("/replication/policies", between)
    assert refused.status == 400
    assert "plant-a and plant-b" in refused.messages
    await admin.put("/registries/2", {"transship": {"zone": "default"}})
    assert (await admin.post("/replication/policies", between)).status == 201
    torn = await admin.put("/registries/2", {"transship": {"zone": "plant-b"}})
    assert torn.status == 400
    assert "other end of policies (p)" in torn.messages


async def test_an_execution_knows_its_registries_and_its_zones(
    admin: Caller, upstream: FakeRegistry, database: Database
) -> None:
    await created(admin, upstream, "a", transship={"zone": "plant-a"})
    into = {"name": "p", "dest_registry": {"id": 1}, "enabled": True}
    await admin.post("/replication/policies", into)
    started = await admin.post("/replication/executions", {"policy_id": 1})
    assert started.status == 201
    async with database.connection() as connection:
        row = await connection.fetchrow(
            "SELECT endpoint_ids, destination_id, execution.zone, task.zone AS plan_zone"
            " FROM jobservice.executions AS execution JOIN jobservice.tasks AS task ON is_plan"
        )
    assert row is not None
    assert dict(row) == {
        "endpoint_ids": [0, 1],
        "destination_id": 1,
        "zone": "plant-a",
        "plan_zone": None,
    }


async def test_the_limits_of_a_registry_go_with_it(
    admin: Caller, upstream: FakeRegistry, database: Database
) -> None:
    await created(admin, upstream, "a", transship=OURS)
    assert (await admin.delete("/registries/1")).status == 200
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM jobservice.endpoint_limits") == 0
