"""Hooks with several targets, and with targets that are gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from database.pool import Database
from database.sealing import Keyring, generate_key
from jobservice.errors import InvalidRequest
from jobservice.hook_secrets import HookSecrets
from jobservice.hook_targets import WantedTarget
from jobservice.hooks import Hooks, Wanted
from protocol.guard import Guard
from protocol.transport import Transport
from tests.fakes.receiver import Receiver
from tests.integration.jobservice.conftest import Jobs, until
from tests.integration.jobservice.hook_house import House


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as opened:
        yield opened


@pytest.fixture
async def house(
    dsn: str, valkey_url: str, database: Database, jobs_at: Jobs
) -> AsyncIterator[House]:
    async with Transport(outbound=Guard(opened=(ip_network("127.0.0.0/8"),))) as transport:
        secrets = HookSecrets(Keyring([generate_key()]))
        hooks = Hooks(database=database, secrets=secrets, transport=transport)
        yield House(dsn=dsn, redis_dsn=valkey_url, hooks=hooks, jobs=jobs_at)


async def test_every_target_gets_its_own_message_and_one_that_fails_hides_no_other(
    house: House, receiver: Receiver
) -> None:
    async with Receiver(answers=410) as gone:
        targets = [
            WantedTarget(kind="slack", address=gone.url),
            WantedTarget(kind="http", address=receiver.url),
        ]
        wanted = Wanted(name="both", event_types=["EXECUTION"], enabled=True, targets=targets)
        hook_id = await house.hooks.create(wanted, creator="admin")
        async with house.working():
            await house.jobs.start([{}])
            await receiver.heard(lambda it: bool(it.accepted))
            await gone.heard(lambda it: it.tries == 1)
            await house.settled(hook_id)
        statuses = {one.target.rpartition("/")[2]: one for one in await house.deliveries(hook_id)}
    assert set(statuses) == {"…", "hook"}
    assert len({one.event_id for one in statuses.values()}) == 1
    assert len({one.execution_id for one in statuses.values()}) == 1


async def test_what_was_to_go_to_a_removed_hook_is_stopped(
    house: House, receiver: Receiver
) -> None:
    hook_id = await house.hook(receiver)
    await house.hooks.try_out(hook_id, by="admin")
    await house.hooks.delete(hook_id)
    async with house.working():

        async def is_stopped() -> bool:
            status = "SELECT status FROM jobservice.tasks WHERE job_type = 'hook_delivery'"
            return bool(await house.jobs.one(status) == "stopped")

        await until(is_stopped)
    assert receiver.tries == 0


async def test_a_message_whose_target_was_removed_fails_and_says_so(
    house: House, receiver: Receiver
) -> None:
    hook_id = await house.hook(receiver)
    await house.hooks.try_out(hook_id, by="admin")
    moved = [WantedTarget(kind="http", address=f"{receiver.url}/elsewhere")]
    await house.hooks.update(hook_id, Wanted(enabled=True, targets=moved))
    async with house.working():
        delivery = await house.settled(hook_id)
    assert delivery.error is not None
    assert delivery.error.kind == "TargetRemoved"
    assert receiver.tries == 0


async def test_two_workers_that_both_read_the_outbox_tell_each_execution_once(
    house: House, receiver: Receiver
) -> None:
    hook_id = await house.hook(receiver)
    async with house.working(), house.working():
        for _ in range(5):
            await house.jobs.start([{}])
        await receiver.heard(lambda it: len(it.event_ids) == 5)
        await house.outbox_is_empty()
        told = {one.event_id for one in await house.deliveries(hook_id)}
    assert len(receiver.accepted) == 5
    assert told == receiver.event_ids


@pytest.mark.parametrize("address", ["http://ex ample/", "https://ops.example/a b", "http://a\n/"])
async def test_an_address_with_blanks_in_it_is_none(house: House, address: str) -> None:
    targets = [WantedTarget(kind="http", address=address)]
    wanted = Wanted(name="blank", event_types=["EXECUTION"], enabled=True, targets=targets)
    with pytest.raises(InvalidRequest, match="holds spaces"):
        await house.hooks.create(wanted, creator="admin")
