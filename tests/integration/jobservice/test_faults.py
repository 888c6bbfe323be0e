"""What breaks around a worker: killed processes, frozen ones, a Valkey that forgets or is away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import uvloop
from redis.exceptions import RedisError

from database.pool import Database
from jobservice import queue
from jobservice.domain.execution import ExecutionStatus
from jobservice.domain.task import TaskStatus
from jobservice.errors import QueueUnavailable
from jobservice.store import leader, rescuing
from jobservice.supervisor import embedded_valkey
from tests.fakes import cable
from tests.integration.jobservice.conftest import Jobs, Worker, claimed, until, working_at

ROOT = Path(__file__).parents[3]
# Promised for work that waited for Valkey.
RUNS_AGAIN_SECONDS = 2.0


@contextlib.contextmanager
def worker_process(dsn: str, valkey_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker to be killed."""
    command = [sys.executable, "-m", "tests.fakes.jobs", dsn, valkey_url]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


async def test_another_worker_finishes_what_a_killed_one_held(
    dsn: str, valkey_url: str, jobs_at: Jobs
) -> None:
    with worker_process(dsn, valkey_url) as doomed:
        execution_id = await jobs_at.start([{"do": "hang_once"}] * 3)
        await jobs_at.running(execution_id, 3)
        doomed.kill()
        doomed.wait()
    with worker_process(dsn, valkey_url):
        execution = await jobs_at.ended(execution_id)
    assert (execution.status, execution.succeeded) == (ExecutionStatus.SUCCEEDED, 3)
    for task in await jobs_at.tasks(execution_id):
        assert (task.attempt, task.rescues) == (1, 1)
    (reason,) = await jobs_at.reasons("pending")
    assert re.fullmatch(r"worker \d+ \(.+\) was silent for \d+ s", reason)


async def test_a_plan_goes_on_at_its_cursor(dsn: str, valkey_url: str, jobs_at: Jobs) -> None:
    with worker_process(dsn, valkey_url) as doomed:
        execution_id = await jobs_at.start([{"p": 1}], [{"p": 2}], [{"p": 3}], hang_after_page=2)

        async def second_page_is_there() -> bool:
            return len(await jobs_at.tasks(execution_id)) == 2

        await until(second_page_is_there)
        doomed.kill()
        doomed.wait()
    with worker_process(dsn, valkey_url):
        execution = await jobs_at.ended(execution_id)
    assert (execution.total, execution.succeeded) == (3, 3)
    assert [task.parameters["p"] for task in await jobs_at.tasks(execution_id)] == [1, 2, 3]


async def test_a_second_signal_ends_a_worker_at_once(
    dsn: str, valkey_url: str, jobs_at: Jobs
) -> None:
    with worker_process(dsn, valkey_url) as doomed:
        execution_id = await jobs_at.start([{"do": "cling"}, {"do": "hang"}])
        await jobs_at.running(execution_id, 2)
        doomed.send_signal(signal.SIGTERM)

        async def the_polite_task_is_given_back() -> bool:
            return bool(await jobs_at.reasons("pending"))

        await until(the_polite_task_is_given_back)
        assert doomed.poll() is None
        doomed.send_signal(signal.SIGINT)
        assert doomed.wait(2) == -signal.SIGINT


async def test_a_frozen_worker_that_wakes_up_writes_nothing(
    dsn: str, valkey_url: str, jobs_at: Jobs, tmp_path: Path
) -> None:
    gate, trace = tmp_path / "gate", tmp_path / "trace"
    with worker_process(dsn, valkey_url) as frozen:
        execution_id = await jobs_at.start(
            [{"do": "wait", "gate": str(gate), "trace": str(trace), "leave": str(tmp_path)}]
        )
        await jobs_at.running(execution_id, 1)
        frozen.send_signal(signal.SIGSTOP)
        with worker_process(dsn, valkey_url) as heir:

            async def both_ran() -> bool:
                return len(trace.read_text().split()) == 2

            await until(both_ran)
            gate.touch()
            execution = await jobs_at.ended(execution_id)
            assert execution.status is ExecutionStatus.SUCCEEDED
            frozen.send_signal(signal.SIGCONT)
            await until(lambda: _exists(tmp_path / f"left-{frozen.pid}"))
            assert trace.read_text().split() == [str(frozen.pid), str(heir.pid)]
    (task,) = await jobs_at.tasks(execution_id)
    assert (task.result, task.rescues) == ({"attempt": 1, "pid": heir.pid}, 1)
    assert (await jobs_at.ended(execution_id)).succeeded == 1


async def _exists(path: Path) -> bool:
    return path.exists()


async def test_a_valkey_that_forgets_loses_no_task(
    worker: Worker, jobs_at: Jobs, valkey_url: str
) -> None:
    async with worker():
        execution_id = await jobs_at.start([{}] * 150)
        with redis.Redis.from_url(valkey_url) as client:
            for done in (20, 60, 100):

                async def so_many_ended(enough: int = done) -> bool:
                    tasks = await jobs_at.tasks(execution_id)
                    return sum(task.status.is_final for task in tasks) >= enough

                await until(so_many_ended)
                client.flushall()
        execution = await jobs_at.ended(execution_id)
    assert execution.succeeded == 150
    assert await jobs_at.one("SELECT max(attempt) FROM jobservice.tasks") == 1


async def test_what_strangers_put_into_the_queue_harms_nobody(
    worker: Worker, jobs_at: Jobs, valkey_url: str
) -> None:
    name = queue.queue_name(None, "transfer")
    with redis.Redis.from_url(valkey_url) as client:
        for key, job in {"1.a": b"junk", "1.b": b'{"f": "other", "a": [], "k": {}}'}.items():
            client.set(f"arq:job:{key}", job)
            client.zadd(name, {key: 1})
        client.zadd(name, {"1.c": 1})
        async with worker():
            execution = await jobs_at.ended(await jobs_at.start([{}]))
        assert execution.succeeded == 1
        assert client.zcard(name) == 0


@pytest.mark.parametrize("number", [0, 1])
async def test_a_redis_that_accepts_and_hangs_up_is_unavailable(
    valkey: embedded_valkey.EmbeddedValkey, number: int
) -> None:
    async with (
        cable.laid(lambda: asyncio.open_unix_connection(str(valkey.socket))) as wire,
        queue.TaskQueue.connected(f"redis://127.0.0.1:{wire.port}/{number}") as tasks,
    ):
        wire.cut()
        with pytest.raises(QueueUnavailable):
            await tasks.ping()
        assert wire.refused <= 4
        wire.mend()
        await tasks.ping()


def test_writing_to_a_redis_connection_that_is_gone_is_an_error_of_redis_on_uvloop(
    valkey: embedded_valkey.EmbeddedValkey,
) -> None:
    async def main() -> None:
        client = queue.connect(valkey.dsn())
        connection = await client.connection_pool.get_connection()
        connection._writer.transport.abort()  # noqa: SLF001 - as a reset does
        await asyncio.sleep(0)
        with pytest.raises(RedisError):
            await connection.send_command("PING")
        await queue.close(client)

    uvloop.run(main())


async def test_work_that_waited_for_valkey_runs_when_it_is_back(
    dsn: str, jobs_at: Jobs, server_folder: Path
) -> None:
    folder = server_folder / f"valkey-{os.getpid()}-away"
    server = embedded_valkey.EmbeddedValkey(folder=folder, durable=False, die_with_parent=True)
    server.start()
    try:
        async with working_at(dsn, server.dsn()):
            await jobs_at.ended(await jobs_at.start([{}]))
            server.stop()
            execution_id = await jobs_at.start([{}, {}])
            away_at = await jobs_at.one("SELECT clock_timestamp()")
            server.start()
            back_at = await jobs_at.one("SELECT clock_timestamp()")
            execution = await jobs_at.ended(execution_id)
        assert execution.succeeded == 2
        assert execution.started_at is not None
        assert execution.started_at > away_at
        assert (execution.started_at - back_at).total_seconds() <= RUNS_AGAIN_SECONDS
    finally:
        server.stop()


async def test_a_postgres_that_drops_every_connection_costs_no_attempt(
    worker: Worker, jobs_at: Jobs
) -> None:
    drop = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with worker():
        execution_id = await jobs_at.start([{}] * 100)
        for done in (10, 50):

            async def so_many_ended(enough: int = done) -> bool:
                tasks = await jobs_at.tasks(execution_id)
                return sum(task.status.is_final for task in tasks) >= enough

            await until(so_many_ended)
            await jobs_at.one(drop)
        execution = await jobs_at.ended(execution_id, seconds=40)
    errors = [task.error for task in await jobs_at.tasks(execution_id) if task.error]
    assert errors == []
    assert execution.succeeded == 100
    assert await jobs_at.one("SELECT max(attempt) FROM jobservice.tasks") == 1


async def test_two_workers_never_run_the_same_delivery(worker: Worker, jobs_at: Jobs) -> None:
    async with worker(), worker():
        execution_id = await jobs_at.start([{}] * 200)
        execution = await jobs_at.ended(execution_id)
    assert execution.succeeded == 200
    assert await jobs_at.one("SELECT max(fence) FROM jobservice.tasks") == 1
    holders = await jobs_at.one("SELECT count(DISTINCT worker_id) FROM jobservice.tasks")
    assert holders == 2


@pytest.mark.parametrize(("rescues", "status"), [(8, TaskStatus.PENDING), (9, TaskStatus.FAILED)])
async def test_a_task_whose_worker_died_ten_times_is_given_up(
    database: Database, jobs_at: Jobs, rescues: int, status: TaskStatus
) -> None:
    execution_id = await jobs_at.start()
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE jobservice.tasks SET status = 'queued', delivery = 1, dispatched_at = now(),"
            " rescues = $1",
            rescues,
        )
        task_id = await connection.fetchval("SELECT id FROM jobservice.tasks")
        await claimed(connection, task_id, 1, lease_seconds=-1)
        leadership = await leader.acquire(connection, 2)
        assert leadership is not None
        (rescued,) = await rescuing.rescue(connection, leadership)
    assert rescued.status == status
    execution = await jobs_at.one("SELECT status FROM jobservice.executions")
    text = await jobs_at.one("SELECT status_text FROM jobservice.executions")
    expected = {
        TaskStatus.PENDING: (ExecutionStatus.RUNNING, ""),
        TaskStatus.FAILED: (ExecutionStatus.FAILED, "its worker died 10 times"),
    }
    assert (execution, text) == expected[status]
    assert execution_id


async def test_a_leader_that_was_replaced_writes_nothing(database: Database, jobs_at: Jobs) -> None:
    await jobs_at.start()
    async with database.connection() as connection:
        old = await leader.acquire(connection, 1, lease_seconds=-1)
        new = await leader.acquire(connection, 2)
        assert old is not None
        assert new is not None
        assert new.fence == old.fence + 1
        await connection.execute(
            "UPDATE jobservice.tasks SET status = 'queued', delivery = 1, dispatched_at = now()"
        )
        task_id = await connection.fetchval("SELECT id FROM jobservice.tasks")
        await claimed(connection, task_id, 1, lease_seconds=-1)
        assert await rescuing.rescue(connection, old) == ()
        assert len(await rescuing.rescue(connection, new)) == 1


async def test_only_one_leads_at_a_time(database: Database) -> None:
    async with database.connection() as connection:
        first = await leader.acquire(connection, 1)
        assert first is not None
        assert await leader.acquire(connection, 2) is None
        assert await leader.acquire(connection, 1) == first
        await leader.release(connection, first)
        assert await leader.acquire(connection, 2) is not None
