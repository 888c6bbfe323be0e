"""Claim, lease, fence and settle, as the schema and the store hold them."""

from __future__ import annotations

import dataclasses

import asyncpg
import pytest

from database.pool import Database
from jobservice import executions
from jobservice.domain.execution import ExecutionStatus, LeftOut, NewExecution
from jobservice.domain.listing import Equals, Listing
from jobservice.domain.policy import TriggerKind
from jobservice.domain.task import Claimed, NewTask, Progress, TaskStatus
from jobservice.errors import ExecutionStopped, LeaseLost, NotFound, PolicyRunning
from jobservice.store import claiming, logs, planning, progress
from jobservice.store.progress import Reading
from tests.integration.jobservice.conftest import ERROR, claimed, settled

NEW = NewExecution(
    vendor_type="replication",
    job_type="plan",
    policy_id=None,
    trigger=TriggerKind.MANUAL,
    snapshot={"source": "here"},
)
COPY = NewTask(job_type="copy", queue="transfer", parameters={"n": 1})


async def _queue(database: Database) -> dict[int, int]:
    """Stand in for the dispatcher; return delivery by task id."""
    async with database.connection() as connection:
        rows = await connection.fetch(
            "UPDATE jobservice.tasks SET status = 'queued', delivery = delivery + 1,"
            " dispatched_at = now() WHERE status = 'pending' RETURNING id, delivery"
        )
    return {row["id"]: row["delivery"] for row in rows}


async def _claim(
    database: Database, task_id: int, delivery: int, *, lease_seconds: float = 25
) -> Claimed | None:
    async with database.connection() as connection:
        return await claimed(connection, task_id, delivery, lease_seconds=lease_seconds)


async def _claim_all(database: Database) -> list[Claimed]:
    tasks = [await _claim(database, *item) for item in (await _queue(database)).items()]
    return [task for task in tasks if task is not None]


async def _settle(database: Database, task: Claimed, status: TaskStatus) -> bool:
    async with database.transaction() as connection:
        return await settled(connection, task, status)


async def _planned(database: Database, tasks: int) -> tuple[int, Claimed]:
    execution_id = await executions.start(database, NEW)
    (plan,) = await _claim_all(database)
    page = planning.PlanPage(number=1, tasks=[COPY] * tasks, checkpoint={"cursor": "b"})
    async with database.transaction() as connection:
        await planning.write_page(connection, plan, page)
    return execution_id, plan


async def test_an_execution_is_the_roll_up_of_its_tasks(database: Database) -> None:
    execution_id, plan = await _planned(database, 3)
    first, second, third = await _claim_all(database)
    assert await _settle(database, first, TaskStatus.SUCCEEDED)
    assert await _settle(database, plan, TaskStatus.SUCCEEDED)
    assert (await executions.get(database, execution_id)).status is ExecutionStatus.RUNNING
    assert await _settle(database, second, TaskStatus.FAILED)
    assert await _settle(database, third, TaskStatus.STOPPED)

    execution = await executions.get(database, execution_id)
    assert execution.status is ExecutionStatus.FAILED
    counts = (execution.total, execution.succeeded, execution.failed, execution.stopped)
    assert counts == (3, 1, 1, 1)
    assert execution.ended_at is not None


async def test_a_plan_is_in_no_list_and_no_count(database: Database) -> None:
    execution_id, plan = await _planned(database, 2)
    rows = await executions.tasks_page(database, execution_id, Listing())
    assert (rows.total, len(rows.items)) == (2, 2)
    assert plan.id not in {task.id for task in rows.items}
    assert (await executions.get(database, execution_id)).in_progress == 2
    running = Equals(field="status", value="running")
    assert (await executions.page(database, Listing(conditions=(running,)))).total == 1


async def test_a_claim_succeeds_once(database: Database) -> None:
    await executions.start(database, NEW)
    ((task_id, delivery),) = (await _queue(database)).items()
    assert await _claim(database, task_id, delivery) is not None
    assert await _claim(database, task_id, delivery) is None


async def test_an_old_delivery_claims_nothing(database: Database) -> None:
    await executions.start(database, NEW)
    ((task_id, delivery),) = (await _queue(database)).items()
    assert await _claim(database, task_id, delivery - 1) is None


async def test_a_stale_fence_settles_nothing(database: Database) -> None:
    await executions.start(database, NEW)
    (old,) = await _claim_all(database)
    async with database.connection() as connection:
        assert await settled(connection, old, TaskStatus.PENDING)
    (new,) = await _claim_all(database)
    assert new.fence == old.fence + 1
    assert not await _settle(database, old, TaskStatus.SUCCEEDED)
    async with database.connection() as connection:
        assert await claiming.renew(connection, [(old.id, old.fence)], lease_seconds=25) == ()
        held = await claiming.renew(connection, [(new.id, new.fence)], lease_seconds=25)
    assert [row.fence for row in held] == [new.fence]


async def test_a_stale_fence_leaves_no_progress_and_no_log(database: Database) -> None:
    await executions.start(database, NEW)
    (old,) = await _claim_all(database)
    async with database.connection() as connection:
        assert await settled(connection, old, TaskStatus.PENDING)
    (new,) = await _claim_all(database)
    late, ours = (
        Reading(task_id=task.id, fence=task.fence, progress=Progress(bytes_done=done))
        for task, done in ((old, 1), (new, 2))
    )
    async with database.connection() as connection:
        await progress.write(connection, [late])
        assert await connection.fetchval("SELECT count(*) FROM jobservice.task_progress") == 0
        await progress.write(connection, [ours])
        await progress.write(connection, [late])
        assert await connection.fetchval("SELECT bytes_done FROM jobservice.task_progress") == 2
        chunk = logs.Chunk(task_id=old.id, fence=old.fence, sequence=1, text="late\n")
        await logs.append(connection, [chunk])
        assert await connection.fetchval("SELECT count(*) FROM jobservice.task_log_chunks") == 0


async def test_a_page_of_a_lost_plan_leaves_nothing(database: Database) -> None:
    execution_id = await executions.start(database, NEW)
    (plan,) = await _claim_all(database)
    async with database.connection() as connection:
        await settled(connection, plan, TaskStatus.PENDING)
    page = planning.PlanPage(number=1, tasks=[COPY], checkpoint={})
    with pytest.raises(LeaseLost):
        async with database.transaction() as connection:
            await planning.write_page(connection, plan, page)
    assert (await executions.tasks_page(database, execution_id, Listing())).total == 0


async def test_a_page_keeps_failures_and_reasons(database: Database) -> None:
    execution_id, plan = await _planned(database, 0)
    page = planning.PlanPage(
        number=2,
        tasks=[COPY],
        settled=[
            planning.Settled(task=COPY, error=ERROR),
            planning.Settled(task=COPY, result={}),
        ],
        left_out=[LeftOut(reason="filtered", subject=f"r{n}") for n in range(1500)],
        checkpoint={"cursor": "c"},
    )
    async with database.transaction() as connection:
        await planning.write_page(connection, plan, page)
    execution = await executions.get(database, execution_id)
    assert (execution.total, execution.failed, execution.succeeded) == (3, 1, 1)
    assert execution.unchanged == 1
    (outcome,) = (await executions.account(database, execution_id, examples=2000)).outcomes
    assert (outcome.reason, outcome.count, len(outcome.examples)) == ("filtered", 1500, 1000)


async def test_a_task_has_its_executions_zone_and_priority_unless_it_names_its_own(
    database: Database,
) -> None:
    await executions.start(database, dataclasses.replace(NEW, zone="plant-a", priority=3))
    (plan,) = await _claim_all(database)
    own = dataclasses.replace(COPY, zone="plant-b", priority=0)
    keyed = dataclasses.replace(COPY, unique_key="one")
    for number, tasks in enumerate(([COPY, own], [keyed, own]), start=1):
        settled = [planning.Settled(task=COPY, result={}), planning.Settled(task=own, error=ERROR)]
        page = planning.PlanPage(number=number, tasks=tasks, settled=settled, checkpoint={})
        async with database.transaction() as connection:
            await planning.write_page(connection, plan, page)
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT zone, priority FROM jobservice.tasks WHERE NOT is_plan ORDER BY id"
        )
    assert [(row["zone"], row["priority"]) for row in rows] == 4 * [("plant-a", 3), ("plant-b", 0)]


async def test_stopping_ends_what_waits_and_tells_what_runs(database: Database) -> None:
    execution_id, plan = await _planned(database, 2)
    await executions.stop(database, execution_id)
    rows = await executions.tasks_page(database, execution_id, Listing())
    assert {task.status for task in rows.items} == {TaskStatus.STOPPED}
    async with database.connection() as connection:
        (held,) = await claiming.renew(connection, [(plan.id, plan.fence)], lease_seconds=25)
    assert held.stop_requested
    page = planning.PlanPage(number=2, tasks=[COPY], checkpoint={})
    with pytest.raises(ExecutionStopped):
        async with database.transaction() as connection:
            await planning.write_page(connection, plan, page)
    await _settle(database, plan, TaskStatus.STOPPED)
    execution = await executions.get(database, execution_id)
    assert (execution.status, execution.stopped) == (ExecutionStatus.STOPPED, 2)


async def test_stopping_a_finished_execution_changes_nothing(database: Database) -> None:
    execution_id, plan = await _planned(database, 0)
    await _settle(database, plan, TaskStatus.SUCCEEDED)
    await executions.stop(database, execution_id)
    execution = await executions.get(database, execution_id)
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert execution.stop_requested_at is None
    with pytest.raises(NotFound):
        await executions.stop(database, execution_id + 1)


async def test_the_schema_and_the_domain_agree_on_transitions(database: Database) -> None:
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT a, b, jobservice.may_become(a, b) AS may"
            " FROM unnest($1::text[]) AS a, unnest($1::text[]) AS b",
            list(TaskStatus),
        )
    assert len(rows) == len(TaskStatus) ** 2
    for row in rows:
        assert row["may"] is TaskStatus(row["a"]).may_become(TaskStatus(row["b"])), dict(row)


async def test_the_schema_refuses_an_illegal_transition(database: Database) -> None:
    _, plan = await _planned(database, 0)
    await _settle(database, plan, TaskStatus.SUCCEEDED)
    with pytest.raises(asyncpg.CheckViolationError, match="may not go from succeeded to pending"):
        async with database.connection() as connection:
            await connection.execute(
                "UPDATE jobservice.tasks SET status = 'pending', ended_at = NULL"
            )


async def test_a_policy_that_wants_so_has_one_execution_at_a_time(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO jobservice.endpoints (id, name, kind, url) VALUES (1, 'e', 'k', 'u')"
        )
        await connection.execute(
            "INSERT INTO jobservice.policies (id, name, source_endpoint_id) VALUES (7, 'p', 1)"
        )
    alone = dataclasses.replace(NEW, policy_id=7, single_active=True)
    first = await executions.start(database, alone)
    with pytest.raises(PolicyRunning, match="one execution at a time"):
        await executions.start(database, alone)
    await executions.stop(database, first)
    assert await executions.start(database, alone) > first
    async with database.connection() as connection:
        await connection.execute("DELETE FROM jobservice.policies")
    with pytest.raises(NotFound):
        await executions.get(database, first)
