"""Many claims and many settlements at a time: each row is judged alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from database.pool import Database
from jobservice import pauses
from jobservice.claimer import Claimer
from jobservice.domain.pause import Held, PauseScope
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import Claimed, TaskError, TaskStatus
from jobservice.settler import Ended, Settler
from jobservice.store import claiming, limits, settling
from jobservice.store.claiming import Claimant
from jobservice.store.logs import Chunk
from tests.fakes.together import together
from tests.integration.jobservice.conftest import ERROR, Jobs

pytestmark = pytest.mark.usefixtures("planted")
WORKER = Claimant(worker_id=7, host="here", job_types=["act"])
ADD = """
INSERT INTO jobservice.tasks
    (execution_id, job_type, queue, page, ordinal, status, delivery, dispatched_at)
SELECT $1, $2, 'transfer', $3, number, 'queued', 1, now()
FROM generate_series(1, $4::integer) AS number
RETURNING id
"""
ENDS = """
SELECT status, reason, attempt, not_before > now() AS waits, ended_at IS NULL AS goes_on
FROM jobservice.tasks WHERE NOT is_plan ORDER BY id
"""


async def queued(jobs: Jobs, count: int, *, job_type: str = "act", page: int = 1) -> list[int]:
    """Queue tasks of an execution of their own; return their ids."""
    execution_id = await jobs.start()
    async with jobs.database.connection() as connection:
        await connection.execute(
            "UPDATE jobservice.executions SET total = $2 WHERE id = $1", execution_id, count
        )
        rows = await connection.fetch(ADD, execution_id, job_type, page, count)
    return [row["id"] for row in rows]


async def claimed(database: Database, *task_ids: int) -> tuple[Claimed, ...]:
    async with database.connection() as connection:
        return await claiming.claim(connection, WORKER, [(task_id, 1) for task_id in task_ids])


async def state(jobs: Jobs, task_id: int) -> tuple[str, str]:
    async with jobs.database.connection() as connection:
        row = await connection.fetchrow(
            "SELECT status, reason FROM jobservice.tasks WHERE id = $1", task_id
        )
    assert row is not None
    return row["status"], row["reason"]


@contextlib.asynccontextmanager
async def running(helper: Claimer | Settler) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(helper.run())
        yield
        task.cancel()


async def test_what_is_asked_for_together_is_claimed_together(jobs_at: Jobs) -> None:
    ids = [*await queued(jobs_at, 3), *await queued(jobs_at, 2)]
    claimer = Claimer(jobs_at.database, WORKER)
    async with running(claimer):
        asked = [(task_id, 1) for task_id in ids] + [(ids[0], 1), (ids[1], 9)]
        answers = await together(*(claimer.claim(*one) for one in asked))
    assert [getattr(answer, "id", None) for answer in answers] == [*ids, None, None]
    assert await jobs_at.one("SELECT max(fence) FROM jobservice.tasks") == 1
    assert await state(jobs_at, ids[0]) == ("running", "worker 7 (here)")
    unstarted = "SELECT count(*) FROM jobservice.executions WHERE started_at IS NULL"
    assert await jobs_at.one(unstarted) == 0


async def test_a_type_that_the_worker_does_not_know_goes_back_at_once(jobs_at: Jobs) -> None:
    (known,) = await queued(jobs_at, 1)
    (unknown,) = await queued(jobs_at, 1, job_type="scan")
    tasks = await claimed(jobs_at.database, known, unknown)
    assert [task.id for task in tasks] == [known]
    assert await state(jobs_at, unknown) == ("pending", "worker 7 does not know job type scan")
    waits = "SELECT not_before > now() FROM jobservice.tasks WHERE id = $1"
    assert await jobs_at.one(waits, unknown)
    assert await jobs_at.one("SELECT attempt FROM jobservice.tasks WHERE id = $1", unknown) == 1


async def test_settlements_of_every_kind_are_one_statement(jobs_at: Jobs) -> None:
    ids = [*await queued(jobs_at, 3), *await queued(jobs_at, 3)]
    tasks = sorted(await claimed(jobs_at.database, *ids), key=lambda task: task.id)
    statuses = ["succeeded", "failed", "stopped", "retrying", "pending", "succeeded"]
    batch = [
        Settlement(
            task=task,
            status=TaskStatus(status),
            reason=f"because {status}",
            error=ERROR if status in {"failed", "retrying"} else None,
            delay_seconds=60,
        )
        for task, status in zip(tasks, statuses, strict=True)
    ]
    async with jobs_at.database.transaction() as connection:
        ours = await settling.settle(connection, batch)
    assert ours == {task.key for task in batch}
    async with jobs_at.database.connection() as connection:
        rows = await connection.fetch(ENDS)
        counters = await connection.fetch(
            "SELECT succeeded, failed, stopped FROM jobservice.executions ORDER BY id"
        )
    assert [tuple(row.values()) for row in rows] == [
        ("succeeded", "because succeeded", 1, None, False),
        ("failed", "because failed", 1, None, False),
        ("stopped", "stopped on request", 1, None, False),
        ("retrying", "because retrying", 2, True, True),
        ("pending", "because pending", 1, True, True),
        ("succeeded", "because succeeded", 1, None, False),
    ]
    assert [tuple(row.values()) for row in counters] == [(1, 1, 1), (1, 0, 0)]


async def test_a_settlement_that_postgres_refuses_hinders_no_other(jobs_at: Jobs) -> None:
    tasks = await claimed(jobs_at.database, *await queued(jobs_at, 4))
    settler = Settler(jobs_at.database)
    ends = [Settlement(task=task, status=TaskStatus.SUCCEEDED) for task in tasks]
    # The schema wants to know why a task failed.
    ends[1] = Settlement(task=tasks[1], status=TaskStatus.FAILED)
    lost = Settlement(task=tasks[0], status=TaskStatus.FAILED, error=ERROR)
    async with running(settler):
        answers = await together(*(settler.settle(Ended(settlement=end)) for end in ends))
        assert not await settler.settle(Ended(settlement=lost))
    assert [answer for answer in answers if isinstance(answer, bool)] == [True, True, True]
    assert isinstance(answers[1], asyncpg.CheckViolationError)
    assert (await state(jobs_at, tasks[1].id))[0] == "running"
    assert await jobs_at.one("SELECT sum(succeeded) FROM jobservice.executions") == 3


async def test_text_that_postgres_cannot_hold_is_kept_as_far_as_it_can_be(jobs_at: Jobs) -> None:
    (task,) = await claimed(jobs_at.database, *await queued(jobs_at, 1))
    error = TaskError(message="the registry said \x00 and \ud800", kind="Odd")
    end = Settlement(
        task=task,
        status=TaskStatus.FAILED,
        reason=error.message,
        error=error,
        result={"said": "\x00"},
    )
    async with jobs_at.database.transaction() as connection:
        assert await settling.settle(connection, [end]) == {end.key}
    kept = "the registry said \N{REPLACEMENT CHARACTER} and \N{REPLACEMENT CHARACTER}"
    assert await state(jobs_at, task.id) == ("failed", kept)
    assert await jobs_at.one("SELECT result ->> 'said' FROM jobservice.tasks WHERE NOT is_plan")


async def test_a_lost_claim_leaves_no_log_and_no_pause(jobs_at: Jobs) -> None:
    (task,) = await claimed(jobs_at.database, *await queued(jobs_at, 1))
    async with jobs_at.database.connection() as connection:
        await connection.execute("UPDATE jobservice.tasks SET fence = fence + 1")
    end = Settlement(task=task, status=TaskStatus.PENDING, delay_seconds=60, endpoint_id=4)
    chunk = Chunk(task_id=task.id, fence=task.fence, sequence=1, text="late\n")
    settler = Settler(jobs_at.database)
    async with running(settler):
        assert not await settler.settle(Ended(settlement=end, chunks=[chunk]))
    assert await jobs_at.one("SELECT count(*) FROM jobservice.task_log_chunks") == 0
    assert await jobs_at.one("SELECT count(*) FROM jobservice.endpoint_limits") == 0


@pytest.mark.parametrize(("first", "second"), [(60, 5), (5, 60)])
async def test_the_longer_pause_that_a_registry_asked_for_stands(
    jobs_at: Jobs, first: float, second: float
) -> None:
    tasks = await claimed(jobs_at.database, *await queued(jobs_at, 2))
    settler = Settler(jobs_at.database)
    async with running(settler):
        for task, delay_seconds in zip(tasks, (first, second), strict=True):
            end = Settlement(
                task=task,
                status=TaskStatus.PENDING,
                error=ERROR,
                delay_seconds=delay_seconds,
                endpoint_id=4,
            )
            assert await settler.settle(Ended(settlement=end))
    until = "SELECT postponed_until > now() + interval '50 seconds' FROM jobservice.endpoint_limits"
    assert await jobs_at.one(until)
    assert await jobs_at.one("SELECT postponed_because FROM jobservice.endpoint_limits") == (
        "it broke"
    )


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (Held(scope=PauseScope.EVERYTHING), "paused by ann: maintenance"),
        (Held(scope=PauseScope.JOB_TYPE, key="act"), "paused by ann: maintenance"),
        (Held(scope=PauseScope.DESTINATION, key="0"), "paused by ann: maintenance"),
    ],
    ids=str,
)
async def test_a_delivery_that_was_paused_since_goes_back_and_says_why(
    database: Database, jobs_at: Jobs, held: Held, why: str
) -> None:
    (task_id,) = await queued(jobs_at, 1)
    await jobs_at.one("UPDATE jobservice.executions SET destination_id = 0 RETURNING id")
    await pauses.pause(database, held, by="ann", comment="maintenance")
    assert await claimed(database, task_id) == ()
    assert await state(jobs_at, task_id) == ("pending", why)


async def test_a_delivery_whose_registry_was_postponed_since_goes_back(
    database: Database, jobs_at: Jobs
) -> None:
    (waits,) = await queued(jobs_at, 1)
    await jobs_at.one("UPDATE jobservice.executions SET endpoint_ids = '{0,7}' RETURNING id")
    (goes,) = await queued(jobs_at, 1)
    async with database.connection() as connection:
        await limits.postpone(connection, 7, 60, "429 Too Many Requests")
    assert [task.id for task in await claimed(database, waits, goes)] == [goes]
    assert await state(jobs_at, waits) == (
        "pending",
        "registry 7 asked for a pause: 429 Too Many Requests",
    )
