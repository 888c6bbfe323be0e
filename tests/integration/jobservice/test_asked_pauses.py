"""A registry that asks to be left alone is: no attempt is spent, and others go on."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from jobservice import executions, tasks
from jobservice.coordination import RateLimits
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.explaining import Code
from jobservice.domain.limits import EndpointLimits
from jobservice.domain.policy import PolicySnapshot
from jobservice.store import limits
from tests.fakes.registry.faults import Fault
from tests.fakes.registry.server import FakeRegistry
from tests.integration.jobservice.conftest import claimed, until
from tests.integration.jobservice.test_replication import House, house

__all__ = ["house"]

POSTPONED = """
SELECT endpoint_id FROM jobservice.endpoint_limits
WHERE postponed_until > now() + $1 * interval '1 second'
"""
WAITING = """
SELECT count(*) FROM jobservice.tasks WHERE execution_id = $1 AND status = 'pending'
"""
# As if the pause had gone by.
GONE_BY = """
WITH registries AS (UPDATE jobservice.endpoint_limits SET postponed_until = now())
UPDATE jobservice.tasks SET not_before = now() WHERE status = 'pending'
"""


def busy(method: str, kind: str, status: int, *, times: int = -1) -> Fault:
    """Longer than a client waits by itself."""
    headers = {"Retry-After": "600"}
    return Fault(method=method, kind=kind, status=status, headers=headers, times=times)


async def postponed(house: House, registry_id: int) -> None:
    """Return when this registry is left alone for most of what it asked for."""

    async def is_postponed() -> bool:
        return bool(await house.jobs.one(POSTPONED, 500) == registry_id)

    await until(is_postponed)


async def let_the_pause_go_by(house: House) -> None:
    async with house.jobs.database.connection() as connection:
        await connection.execute(GONE_BY)


async def attempts(house: House, execution_id: int) -> set[int]:
    return {task.attempt for task in await house.jobs.tasks(execution_id)}


@pytest.mark.parametrize("status", [429, 503])
async def test_all_tasks_of_a_registry_wait_while_others_go_on(house: House, status: int) -> None:
    for number in range(12):
        house.source.repository(f"app{number}").put_image("1", layers=(b"layer %d" % number,))
    snapshot = await house.snapshot()
    fault = house.source.faults.add(busy("GET", "manifest", status))
    async with FakeRegistry() as other, house.worker():
        held = await house.start(snapshot)
        await postponed(house, snapshot.source.endpoint_id)

        async def all_wait() -> bool:
            return bool(await house.jobs.one(WAITING, held) == 12)

        await until(all_wait)
        tried = house.source.requests.count("GET", "manifest")
        assert tried < 12
        other.repository("else").put_image("1", layers=(b"else",))
        elsewhere = replace(snapshot, source=await house.endpoint(other, "other"))
        assert (await house.run(elsewhere)).status is ExecutionStatus.SUCCEEDED
        assert house.source.requests.count("GET", "manifest") == tried
        assert await attempts(house, held) == {1}

        fault.times = 0
        await let_the_pause_go_by(house)
        execution = await house.jobs.ended(held)
    assert (execution.status, execution.succeeded) == (ExecutionStatus.SUCCEEDED, 12)
    assert await attempts(house, held) == {1}
    reasons = await house.jobs.reasons("pending")
    assert any(
        reason.startswith("waits 600 s for registry source: reading manifest app")
        for reason in reasons
    )


@pytest.mark.parametrize("method", ["HEAD", "PUT"])
async def test_a_destination_that_asks_for_a_pause_gets_it(house: House, method: str) -> None:
    house.source.repository("app").put_image("1", layers=(b"one",))
    snapshot = await house.snapshot()
    fault = house.destination.faults.add(busy(method, "manifest", 429))
    async with house.worker():
        execution_id = await house.start(snapshot)
        await postponed(house, snapshot.destination.endpoint_id)
        fault.times = 0
        await let_the_pause_go_by(house)
        execution = await house.jobs.ended(execution_id)
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert await attempts(house, execution_id) == {1}


@pytest.mark.parametrize("kind", ["catalog", "tags"])
async def test_a_plan_waits_for_its_source(house: House, kind: str) -> None:
    house.source.repository("app").put_image("1", layers=(b"one",))
    snapshot: PolicySnapshot = await house.snapshot()
    fault = house.source.faults.add(busy("GET", kind, 429))
    async with house.worker():
        execution_id = await house.start(snapshot)
        await postponed(house, snapshot.source.endpoint_id)
        fault.times = 0
        await let_the_pause_go_by(house)
        execution = await house.jobs.ended(execution_id)
    assert (execution.status, execution.succeeded) == (ExecutionStatus.SUCCEEDED, 1)
    plans = "SELECT attempt FROM jobservice.tasks WHERE is_plan AND execution_id = $1"
    assert await house.jobs.one(plans, execution_id) == 1


async def test_a_delivery_that_comes_after_the_pause_goes_back_and_names_the_registry(
    house: House,
) -> None:
    snapshot = await house.snapshot()
    await house.start(snapshot)
    async with house.jobs.database.transaction() as connection:
        await limits.postpone(connection, snapshot.source.endpoint_id, 600, "429")
        await connection.execute(
            "UPDATE jobservice.tasks SET status = 'queued', delivery = 1, dispatched_at = now()"
        )
        task_id = await connection.fetchval("SELECT id FROM jobservice.tasks")
        assert await claimed(connection, task_id, 1) is None
    assert await house.jobs.reasons("pending") == {"registry source asked for a pause: 429"}


async def test_a_task_that_waits_for_a_rate_says_so(house: House) -> None:
    house.source.repository("app").put_image("1", layers=(b"one",))
    snapshot = await house.snapshot()
    async with house.jobs.database.connection() as connection:
        slow = EndpointLimits(requests_per_second=0.01)
        await limits.put(connection, snapshot.source.endpoint_id, slow)
    async with house.worker(), RateLimits.connected(house.valkey_url) as rates:
        execution_id = await house.start(snapshot)

        async def the_first_was_sent() -> bool:
            return house.source.requests.count() == 1

        await until(the_first_was_sent)
        task_id = await house.jobs.one("SELECT id FROM jobservice.tasks WHERE is_plan")
        running, rate = await tasks.explain(house.jobs.database, task_id, rates=rates)
        await executions.stop(house.jobs.database, execution_id)
        await house.jobs.ended(execution_id)
    assert running.code is Code.RUNNING
    assert rate.code is Code.REGISTRY_RATE
    assert re.fullmatch(
        r"registry source has its rate: 1/1 requests in 100 s, the next in \d+ s", rate.message
    )


async def test_a_stop_reaches_who_waits_for_a_rate(house: House) -> None:
    house.source.repository("app").put_image("1", layers=(b"one",))
    snapshot = await house.snapshot()
    async with house.jobs.database.connection() as connection:
        slow = EndpointLimits(requests_per_second=0.01)
        await limits.put(connection, snapshot.source.endpoint_id, slow)
    async with house.worker():
        execution_id = await house.start(snapshot)

        async def the_first_was_sent() -> bool:
            return house.source.requests.count() == 1

        await until(the_first_was_sent)
        await executions.stop(house.jobs.database, execution_id)
        execution = await house.jobs.ended(execution_id, seconds=2)
    assert execution.status is ExecutionStatus.STOPPED
    assert house.source.requests.count() == 1
