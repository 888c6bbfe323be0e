"""Hooks over a real Postgres, a real Valkey and a strict receiver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest

from database.pool import Connection, Database
from database.sealing import Keyring, generate_key
from jobservice import logging as service_logging
from jobservice.domain.hook_delivery import DeliveryStatus
from jobservice.domain.task import Claimed
from jobservice.errors import StillUnderWay
from jobservice.hook_secrets import HookSecrets
from jobservice.hooks import Hooks
from jobservice.jobs.hook_delivery import HookDelivery as HookDeliveryJob
from jobservice.maintenance.outbox_reader import OutboxReader
from jobservice.store import hook_deliveries
from protocol.guard import Guard
from protocol.transport import Timeouts, Transport
from tests.fakes.receiver import Receiver
from tests.integration.jobservice.conftest import Jobs, until
from tests.integration.jobservice.hook_house import House

LOOPBACK = Guard(opened=(ip_network("127.0.0.0/8"),))
SECRET = "a secret to sign with"
LET_GO = "UPDATE jobservice.tasks SET not_before = now() WHERE status = 'retrying' RETURNING id"
AUTHORIZATION = "Bearer let-me-in-please"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver(secret=SECRET, authorization=AUTHORIZATION) as opened:
        yield opened


@pytest.fixture
def secrets() -> HookSecrets:
    return HookSecrets(Keyring([generate_key()]))


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport(outbound=LOOPBACK, timeouts=Timeouts(stall_seconds=0.5)) as opened:
        yield opened


@pytest.fixture
def house(
    dsn: str,
    valkey_url: str,
    database: Database,
    secrets: HookSecrets,
    transport: Transport,
    jobs_at: Jobs,
) -> House:
    hooks = Hooks(database=database, secrets=secrets, transport=transport)
    return House(dsn=dsn, redis_dsn=valkey_url, hooks=hooks, jobs=jobs_at)


async def test_an_execution_is_told_once_signed_and_authorized(
    house: House, receiver: Receiver
) -> None:
    hook_id = await house.hook(receiver)
    async with house.working():
        execution_id = await house.jobs.start([{}, {"do": "fail"}])
        await receiver.heard(lambda it: bool(it.accepted))
        delivery = await house.settled(hook_id)
        await house.outbox_is_empty()
    (message,) = receiver.accepted
    assert receiver.problems == []
    assert message.event_type == "EXECUTION"
    assert message.body["type"] == "EXECUTION"
    ours = message.body["event_data"]["transship"]
    assert (ours["execution_id"], ours["status"]) == (execution_id, "failed")
    assert (ours["total"], ours["succeeded"], ours["failed"]) == (2, 1, 1)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert (delivery.attempts, delivery.response_code) == (1, 200)
    assert delivery.event_id == message.event_id == ours["event_id"]


async def test_what_hooks_do_is_not_told_to_hooks(house: House, receiver: Receiver) -> None:
    hook_id = await house.hook(receiver, per_task=True)
    await house.hook(receiver, name="whole")
    async with house.working():
        await house.jobs.start([{}])
        await receiver.heard(lambda it: len(it.accepted) == 2)
        await house.settled(hook_id)
        await house.outbox_is_empty()
    assert await house.jobs.one("SELECT count(*) FROM jobservice.hook_deliveries") == 2
    told = [one.body["event_data"]["transship"] for one in receiver.accepted]
    assert sorted("task_id" in one for one in told) == [False, True]


async def test_a_message_per_task_comes_only_when_asked_for(
    house: House, receiver: Receiver
) -> None:
    await house.hook(receiver, per_task=True)
    async with house.working():
        await house.jobs.start([{}, {"do": "fail"}, {}])
        await receiver.heard(lambda it: len(it.accepted) == 3)
        await house.outbox_is_empty()
    told = [one.body["event_data"]["transship"] for one in receiver.accepted]
    assert sorted(one["status"] for one in told) == ["failed", "succeeded", "succeeded"]
    assert [one["error"] for one in told if one["status"] == "failed"] == ["for good"]
    assert len({one["task_id"] for one in told}) == 3
    assert len(receiver.event_ids) == 3


async def test_only_failures_are_told_to_whom_wants_failures(
    house: House, receiver: Receiver
) -> None:
    hook_id = await house.hook(receiver, statuses=["failed"])
    async with house.working():
        await house.jobs.ended(await house.jobs.start([{}]))
        failed = await house.jobs.start([{"do": "fail"}])
        await receiver.heard(lambda it: bool(it.accepted))
        await house.outbox_is_empty()
    (message,) = receiver.accepted
    assert message.body["event_data"]["transship"]["execution_id"] == failed
    assert len(await house.deliveries(hook_id)) == 1


async def test_a_disabled_hook_is_told_nothing(house: House, receiver: Receiver) -> None:
    hook_id = await house.hook(receiver, enabled=False)
    async with house.working():
        await house.jobs.ended(await house.jobs.start([{}]))
        await house.outbox_is_empty()
    assert await house.deliveries(hook_id) == ()


async def test_cloud_events_have_their_own_content_type(house: House, receiver: Receiver) -> None:
    hook_id = await house.hook(receiver, format="CloudEvents")
    async with house.working():
        await house.jobs.start([{}])
        await receiver.heard(lambda it: bool(it.accepted))
    (message,) = receiver.accepted
    assert message.headers["Content-Type"] == "application/cloudevents+json"
    assert message.body["id"] == message.event_id
    assert message.body["source"] == f"/projects/0/webhook/policies/{hook_id}"
    assert message.body["type"] == "transship.execution.ended"


async def test_a_receiver_that_fails_is_tried_again(house: House, receiver: Receiver) -> None:
    receiver.fails = 1
    hook_id = await house.hook(receiver)
    async with house.working():
        await house.jobs.start([{}])
        await receiver.heard(lambda it: it.tries == 1)
        await _let_retries_go(house)
        await receiver.heard(lambda it: bool(it.accepted))
        delivery = await house.settled(hook_id)
    assert delivery.attempts == 2
    assert delivery.status is DeliveryStatus.DELIVERED


async def _let_retries_go(house: House) -> None:
    """Let what waits for its next try go now, in place of the clock."""

    async def waits() -> bool:
        return await house.jobs.one(LET_GO) is not None

    await until(waits)


async def test_a_receiver_is_tried_for_a_day_and_then_given_up(
    house: House, receiver: Receiver
) -> None:
    receiver.fails = 2
    hook_id = await house.hook(receiver)
    async with house.working():
        await house.jobs.start([{}])
        await receiver.heard(lambda it: it.tries == 1)
        await house.jobs.one(
            "UPDATE jobservice.hook_deliveries SET created_at = created_at - interval '25 hours'"
            " RETURNING id"
        )
        await _let_retries_go(house)
        delivery = await house.settled(hook_id)
    assert delivery.status is DeliveryStatus.FAILED
    assert delivery.error is not None
    assert "answered 500" in delivery.error.message
    assert "given up" in delivery.error.message
    assert "abcdefgh12345678" not in delivery.error.message + delivery.response_body


def test_the_pauses_last_for_more_than_a_day() -> None:
    rule = HookDeliveryJob.retry
    pauses = [rule.delay_seconds(attempt, jitter=1.0) for attempt in range(1, rule.attempts)]
    assert sum(pauses) > 24 * 3600
    assert pauses[0] <= 10


@pytest.mark.parametrize(("status", "kind"), [(410, "Gone"), (302, "Redirected")])
async def test_who_is_gone_or_leads_elsewhere_is_given_up_at_once(
    house: House, receiver: Receiver, status: int, kind: str
) -> None:
    receiver.answers = status
    receiver.answer_headers = {"Location": "http://127.0.0.1:1/"} if status == 302 else {}
    hook_id = await house.hook(receiver)
    async with house.working():
        await house.jobs.start([{}])
        delivery = await house.settled(hook_id)
    assert delivery.error is not None
    assert delivery.error.kind == kind
    assert receiver.tries == delivery.attempts == 1


async def test_a_busy_receiver_is_waited_for_without_spending_an_attempt(
    house: House, receiver: Receiver
) -> None:
    receiver.answers, receiver.answer_headers = 429, {"Retry-After": "0"}
    hook_id = await house.hook(receiver)
    async with house.working():
        await house.jobs.start([{}])
        await receiver.heard(lambda it: it.tries == 3)
        receiver.answers = 200
        delivery = await house.settled(hook_id)
    attempts = "SELECT attempt FROM jobservice.tasks WHERE job_type = 'hook_delivery'"
    assert await house.jobs.one(attempts) == 1
    assert delivery.attempts >= 4


async def test_a_receiver_that_hangs_fails_the_try(house: House, receiver: Receiver) -> None:
    receiver.hangs = True
    hook_id = await house.hook(receiver)
    async with house.working():
        (delivery_id,) = await house.hooks.try_out(hook_id, by="admin")
        delivery = await house.settled(hook_id)
    assert delivery.id == delivery_id
    assert delivery.status is DeliveryStatus.FAILED
    assert delivery.error is not None
    assert "no progress for too long" in delivery.error.message


async def test_a_test_is_sent_once_and_says_what_it_is(house: House, receiver: Receiver) -> None:
    hook_id = await house.hook(receiver, enabled=False)
    async with house.working():
        await house.hooks.try_out(hook_id, by="admin")
        delivery = await house.settled(hook_id)
    (message,) = receiver.accepted
    assert (message.body["type"], message.body["operator"]) == ("TEST", "admin")
    assert delivery.event_type == "TEST"


async def test_a_message_is_sent_again_under_the_same_event(
    house: House, receiver: Receiver
) -> None:
    hook_id = await house.hook(receiver)
    async with house.working():
        await house.jobs.start([{}])
        first = await house.settled(hook_id)
        await house.hooks.redeliver(hook_id, first.id, by="admin")
        await receiver.heard(lambda it: len(it.accepted) == 2)
    assert len(receiver.event_ids) == 1
    assert receiver.accepted[0].body == receiver.accepted[1].body
    assert [one.is_repeat for one in await house.deliveries(hook_id)] == [False, True]


async def test_what_is_still_tried_is_not_sent_again(house: House, receiver: Receiver) -> None:
    hook_id = await house.hook(receiver)
    (delivery_id,) = await house.hooks.try_out(hook_id, by="admin")
    with pytest.raises(StillUnderWay):
        await house.hooks.redeliver(hook_id, delivery_id, by="admin")


async def test_two_readers_tell_an_event_once(
    house: House, receiver: Receiver, database: Database
) -> None:
    hook_id = await house.hook(receiver)
    async with house.working(reads=False):
        for _ in range(5):
            await house.jobs.ended(await house.jobs.start([{}]))
        readers = [OutboxReader(database, external_url="") for _ in range(2)]
        async with asyncio.TaskGroup() as group:
            for reader in readers:
                group.create_task(reader.tick())
        await receiver.heard(lambda it: len(it.event_ids) == 5)
    assert len(await house.deliveries(hook_id)) == 5


class Killed(BaseException):
    """The process is gone in the middle."""


async def test_a_reader_killed_between_its_steps_loses_and_repeats_nothing(
    house: House, receiver: Receiver, database: Database
) -> None:
    hook_id = await house.hook(receiver)
    async with house.working(reads=False):
        await house.jobs.ended(await house.jobs.start([{}]))
        with pytest.raises(Killed):
            await _half_a_round(database)
        assert await house.deliveries(hook_id) == ()
        assert await house.jobs.one("SELECT count(*) FROM jobservice.outbox") == 1
        await OutboxReader(database, external_url="").tick()
        await house.settled(hook_id)
    assert len(receiver.accepted) == 1
    assert len(await house.deliveries(hook_id)) == 1


async def _half_a_round(database: Database) -> None:
    """Do everything that a round of the reader does, and die before its commit."""
    reader = OutboxReader(database, external_url="")

    async def and_die(connection: Connection) -> None:
        await reader.hand_on(connection)
        raise Killed

    await database.run(and_die)


async def test_an_event_that_cannot_be_told_holds_up_no_other(
    house: House, receiver: Receiver
) -> None:
    await house.hook(receiver)
    await house.jobs.one(
        "INSERT INTO jobservice.outbox (kind, facts) VALUES ('schedule_overdue', '{}'),"
        " ('execution_ended', '{\"status\": 7}') RETURNING id"
    )
    async with house.working():
        await house.jobs.start([{}])
        await receiver.heard(lambda it: bool(it.accepted))

        async def waits() -> bool:
            return bool(
                await house.jobs.one(
                    "SELECT count(*) = 1 FROM jobservice.outbox WHERE not_before > now()"
                )
            )

        await until(waits)


async def test_a_worker_that_takes_over_does_not_send_what_arrived(
    house: House, receiver: Receiver
) -> None:
    hook_id = await house.hook(receiver)
    await house.hooks.try_out(hook_id, by="admin")
    await house.jobs.one("UPDATE jobservice.hook_deliveries SET delivered_at = now() RETURNING id")
    async with house.working():
        delivery = await house.settled(hook_id)
    assert delivery.status is DeliveryStatus.DELIVERED
    assert receiver.tries == 0


async def test_who_lost_the_task_writes_nothing(
    house: House, receiver: Receiver, database: Database
) -> None:
    hook_id = await house.hook(receiver)
    await house.hooks.try_out(hook_id, by="admin")
    (delivery,) = await house.deliveries(hook_id)
    zombie = Claimed(
        id=delivery.task_id,
        execution_id=delivery.execution_id,
        job_type="hook_delivery",
        is_plan=False,
        parameters={},
        snapshot={},
        checkpoint=None,
        delivery=1,
        attempt=1,
        fence=1,
        stop_requested=False,
    )
    async with database.connection() as connection:
        await hook_deliveries.note(connection, zombie, code=200, body="", arrived=True)
    (delivery,) = await house.deliveries(hook_id)
    assert (delivery.attempts, delivery.delivered_at) == (0, None)


async def test_every_line_inside_a_task_names_it_and_none_shows_a_secret(
    house: House,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
    product_logging: None,  # noqa: ARG001  puts back what is configured here
) -> None:
    service_logging.configure()
    hook_id = await house.hook(receiver)
    async with house.working():
        await house.jobs.start([{}, {"do": "fail"}])
        delivery = await house.settled(hook_id)
    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    wanted = {"task_failed", "task_succeeded", "hook_answered"}
    inside = [one for one in lines if one["event"] in wanted]
    assert {one["event"] for one in inside} == wanted
    assert all({"execution", "task", "attempt"} <= set(one) for one in inside)
    (answered,) = (one for one in inside if one["event"] == "hook_answered")
    assert (answered["task"], answered["event_id"]) == (delivery.task_id, delivery.event_id)
    assert AUTHORIZATION not in text
    assert SECRET not in text
