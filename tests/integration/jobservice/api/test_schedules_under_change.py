"""Policies are changed and removed while their schedules fire: nothing is lost, nobody waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from database.pool import Database
from jobservice import starters
from jobservice.maintenance.scheduler import Scheduler
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.api.caller import Caller

POLICIES = "/replication/policies"
COUNT = 30
ALL_DUE = """
UPDATE jobservice.schedules
SET next_fire_time = now() - interval '1 second' * (random() * 50), next_fire_at = now()
"""
SETTLE_ONE = """
UPDATE jobservice.executions SET plan_status = 'succeeded', started_at = now()
WHERE id = (SELECT min(id) FROM jobservice.executions WHERE ended_at IS NULL)
"""
DELETE_TASKS = "DELETE FROM jobservice.tasks"
FIRES = "SELECT count(*) FROM jobservice.schedule_fires"
STRAY = """
SELECT count(*) FROM jobservice.executions
WHERE schedule_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM jobservice.schedule_fires WHERE execution_id = executions.id)
"""


def policy(number: int, hour: int) -> dict[str, Any]:
    cron = f"0 {number} {hour} * * *"
    return {
        "name": f"p{number}",
        "src_registry": {"id": 1},
        "enabled": True,
        "single_active_replication": True,
        "trigger": {"type": "scheduled", "trigger_settings": {"cron": cron}},
    }


@dataclass
class Storm:
    """Everything at once, until it is over."""

    database: Database
    admin: Caller
    over: asyncio.Event = field(default_factory=asyncio.Event)
    statuses: Counter[int] = field(default_factory=Counter)

    async def fire(self) -> None:
        scheduler = Scheduler(self.database, starters.build())
        while not self.over.is_set():
            await scheduler.tick()

    async def settle(self) -> None:
        while not self.over.is_set():
            async with self.database.transaction() as connection:
                await connection.execute(DELETE_TASKS)
                await connection.execute(SETTLE_ONE)

    async def make_due(self) -> None:
        while not self.over.is_set():
            async with self.database.connection() as connection:
                await connection.execute(ALL_DUE)

    async def change(self, numbers: range) -> None:
        for turn in range(4):
            for number in numbers:
                body = policy(number, turn)
                self.statuses[(await self.admin.put(f"{POLICIES}/{number + 1}", body)).status] += 1

    async def rage(self) -> None:
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            for loop in (self.fire, self.fire, self.settle, self.make_due):
                group.create_task(loop())
            async with asyncio.TaskGroup() as changes:
                changes.create_task(self.change(range(0, COUNT, 2)))
                changes.create_task(self.change(range(1, COUNT, 2)))
            self.over.set()


async def test_policies_change_while_their_schedules_fire(
    admin: Caller, upstream: FakeRegistry, database: Database
) -> None:
    body = {"name": "up", "type": "docker-registry", "url": upstream.url}
    assert (await admin.post("/registries", body)).status == 201
    for number in range(COUNT):
        assert (await admin.post(POLICIES, policy(number, 3))).status == 201
    storm = Storm(database, admin)
    await storm.rage()
    assert storm.statuses == {200: 4 * COUNT}
    async with database.connection() as connection:
        assert await connection.fetchval(FIRES) > COUNT
        assert await connection.fetchval(STRAY) == 0
    found = (await admin.get("/schedules", params={"page_size": "100"})).json
    assert {one["cron"].split()[2] for one in found} == {"3"}
    assert len(found) == COUNT
