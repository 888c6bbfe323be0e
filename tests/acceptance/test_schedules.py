"""A schedule in the house as it runs: what is due happens by itself."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from tests.acceptance import house as acceptance
from tests.acceptance.house import Api, House
from tests.fakes.registry.server import FakeRegistry

# The next minute is too long to wait for.
DUE_NOW = """
UPDATE jobservice.schedules SET next_fire_time = now(), next_fire_at = now() WHERE vendor_id = $1
"""


async def connect(house: House) -> Any:
    """Connect to the house's own Postgres, whose postmaster.pid says where it listens."""
    folder = house.folder / "data" / "postgres"
    lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    return await asyncpg.connect(
        host=lines[4],
        port=int(lines[3]),
        user="transship",
        database="transship",
        password=(folder / "password").read_text().strip(),
    )


async def test_a_policy_that_is_due_brings_its_content_by_itself(house: House, api: Api) -> None:
    async with FakeRegistry() as registry:
        registry.repository("library/nightly").put_image("1.0")
        source = await api.endpoint("nightly", registry)
        trigger = {"type": "scheduled", "trigger_settings": {"cron": "0 0 0 1 1 *"}}
        policy = await api.policy(
            "nightly", source=source, dest_namespace="nightly", trigger=trigger
        )
        connection = await connect(house)
        try:
            await connection.execute(DUE_NOW, policy)
            await connection.execute("SELECT pg_notify('jobservice_schedules', '')")
        finally:
            await connection.close()
        executions = f"/replication/executions?policy_id={policy}"
        async with asyncio.timeout(acceptance.RUN_SECONDS):
            while not (found := await api.get(executions)):  # noqa: ASYNC110 - the API has no event
                await asyncio.sleep(0.05)
        ended = await api.ended(found[0]["id"])
    assert (ended["status"], ended["trigger"]) == ("Succeed", "scheduled"), house.last_words()
    [schedule] = [one for one in await api.get("/schedules") if one["vendor_id"] == policy]
    assert schedule["transship"]["last_success_at"] >= schedule["transship"]["last_fire_at"]
    [fire] = await api.get(f"/schedules/{schedule['id']}/fires")
    assert (fire["outcome"], fire["execution_id"]) == ("started", ended["id"])
