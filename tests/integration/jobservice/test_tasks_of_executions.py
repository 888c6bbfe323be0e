"""A task belongs to one execution, for as long as both are there: the schema sees to it."""

from __future__ import annotations

import asyncpg
import pytest

from database.pool import Connection, Database
from jobservice import executions
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind

NEW = NewExecution(
    vendor_type="test",
    job_type="plan",
    policy_id=None,
    trigger=TriggerKind.MANUAL,
    snapshot={},
)
ADD = """
WITH counted AS (UPDATE jobservice.executions SET total = total + 1 WHERE id = ANY($1::bigint[]))
INSERT INTO jobservice.tasks (execution_id, job_type, queue, page, ordinal)
SELECT unnest($1::bigint[]), 'copy', 'transfer', 1, 1
"""
DELETE = "DELETE FROM jobservice.executions WHERE id = $1"


async def _tasks(connection: Connection, execution_id: int) -> int:
    found: int = await connection.fetchval(
        "SELECT count(*) FROM jobservice.tasks WHERE execution_id = $1", execution_id
    )
    return found


async def test_no_task_is_added_to_an_execution_that_is_not_there(database: Database) -> None:
    known = await executions.start(database, NEW)
    async with database.connection() as connection:
        with pytest.raises(asyncpg.ForeignKeyViolationError, match=f"no execution {known + 1} "):
            await connection.execute(ADD, [known, known + 1])
        with pytest.raises(asyncpg.ForeignKeyViolationError, match=f"no execution {known + 1} "):
            await connection.copy_records_to_table(
                "tasks",
                schema_name="jobservice",
                columns=("execution_id", "job_type", "queue", "page", "ordinal"),
                records=[(known + 1, "copy", "transfer", 1, 1)],
            )
        assert await _tasks(connection, known) == 1


async def test_a_task_stays_in_its_execution(database: Database) -> None:
    first, second = [await executions.start(database, NEW) for _ in range(2)]
    async with database.connection() as connection:
        with pytest.raises(asyncpg.ForeignKeyViolationError, match="stays in its execution"):
            await connection.execute(
                "UPDATE jobservice.tasks SET execution_id = $2 WHERE execution_id = $1",
                first,
                second,
            )


async def test_an_execution_takes_its_tasks_along_and_no_others(database: Database) -> None:
    gone, kept = [await executions.start(database, NEW) for _ in range(2)]
    async with database.connection() as connection:
        await connection.execute(ADD, [gone, kept])
        await connection.execute(DELETE, gone)
        assert (await _tasks(connection, gone), await _tasks(connection, kept)) == (0, 2)


async def test_an_execution_does_not_go_while_it_is_given_tasks(database: Database) -> None:
    execution_id = await executions.start(database, NEW)
    async with database.connection() as other:
        async with database.transaction() as connection:
            await connection.execute(ADD, [execution_id])
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.fetch(
                    "SELECT FROM jobservice.executions WHERE id = $1 FOR UPDATE NOWAIT",
                    execution_id,
                )
        await other.execute(DELETE, execution_id)
        assert await _tasks(other, execution_id) == 0
