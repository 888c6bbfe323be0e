"""Hooks are told of schedules whose runs are missing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from database.pool import Database
from database.sealing import Keyring, generate_key
from jobservice.hook_secrets import HookSecrets
from jobservice.hooks import Hooks
from jobservice.maintenance import overdue_watch
from protocol.guard import Guard
from protocol.transport import Transport
from tests.fakes.receiver import Receiver
from tests.integration.jobservice.conftest import Jobs
from tests.integration.jobservice.hook_house import House

LATE = """
INSERT INTO jobservice.schedules
    (vendor_type, vendor_id, cron, next_fire_time, next_fire_at, updated_at)
VALUES ('test', 7, '0 0 * * * *', now() + interval '1 hour', now() + interval '1 hour',
        now() - interval '1 day')
RETURNING id
"""
FIRE = """
UPDATE jobservice.schedules SET next_fire_time = next_fire_time + interval '1 hour',
    next_fire_at = next_fire_at + interval '1 hour' RETURNING id
"""
SUCCEED = """
INSERT INTO jobservice.schedule_successes (schedule_id, execution_id, succeeded_at)
SELECT id, 1, now() FROM jobservice.schedules RETURNING schedule_id
"""
WAITING = "SELECT count(*) FROM jobservice.outbox WHERE kind = 'schedule_overdue'"


async def look(database: Database) -> None:
    await database.run(overdue_watch.look)


async def test_a_missing_run_is_told_once_for_each_fire_time(
    database: Database, jobs_at: Jobs
) -> None:
    await jobs_at.one(LATE)
    for expected in (1, 1):
        await look(database)
        assert await jobs_at.one(WAITING) == expected
    await jobs_at.one(FIRE)
    await look(database)
    assert await jobs_at.one(WAITING) == 2


async def test_what_succeeded_lately_is_not_told(database: Database, jobs_at: Jobs) -> None:
    await jobs_at.one(LATE)
    await jobs_at.one(SUCCEED)
    await look(database)
    assert await jobs_at.one(WAITING) == 0


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


async def test_the_event_reaches_a_hook(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs, receiver: Receiver
) -> None:
    loopback = Guard(opened=(ip_network("127.0.0.0/8"),))
    async with Transport(outbound=loopback) as transport:
        secrets = HookSecrets(Keyring([generate_key()]))
        hooks = Hooks(database=database, secrets=secrets, transport=transport)
        house = House(dsn=dsn, redis_dsn=valkey_url, hooks=hooks, jobs=jobs_at)
        await house.hook(receiver, event_types=["SCHEDULE_OVERDUE"])
        schedule_id = await jobs_at.one(LATE)
        async with house.working():
            await look(database)
            await receiver.heard(lambda it: bool(it.accepted))
    (message,) = receiver.accepted
    ours = message.body["event_data"]["transship"]
    assert message.body["type"] == "SCHEDULE_OVERDUE"
    assert (ours["schedule_id"], ours["vendor_id"], ours["cron"]) == (schedule_id, 7, "0 0 * * * *")
    assert ours["due_at"]
