"""The tables jobservice.retention_runs and jobservice.retention_decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from database.pool import Connection, Record
from jobservice.domain.retention import VENDOR_TYPE, Approval, RetentionRun
from jobservice.domain.retention_coverage import Coverage
from jobservice.store.executions import DISPATCH_CHANNEL

SELECT = """
SELECT execution_id, round, candidates, doomed, doomed_bytes, approval, reasons, asked_at,
       expires_at, answered_at, answered_by
FROM jobservice.retention_runs
"""
GET = SELECT + "WHERE execution_id = ANY($1::bigint[])"


async def of_executions(
    connection: Connection, execution_ids: Sequence[int]
) -> Mapping[int, RetentionRun]:
    """Return what guarded runs decided, by their executions; others are left out."""
    rows = await connection.fetch(GET, list(execution_ids))
    return {row["execution_id"]: _run(row) for row in rows}


async def get(connection: Connection, execution_id: int) -> RetentionRun | None:
    """Return what a guarded run decided; None for one that decided nothing yet."""
    return (await of_executions(connection, [execution_id])).get(execution_id)


BEGIN = """
INSERT INTO jobservice.retention_runs (execution_id, round) VALUES ($1, $2)
ON CONFLICT (execution_id) DO UPDATE
    SET round = excluded.round, candidates = 0, doomed = 0, doomed_bytes = 0
"""


async def begin_round(connection: Connection, execution_id: int, number: int) -> None:
    """Begin to decide, or to decide anew; what the round before decided stays for comparison."""
    await connection.execute(BEGIN, execution_id, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided about one repository: how much there is, and what goes of it."""

    repository: str
    candidates: int
    doomed: int
    doomed_bytes: int


ADD = """
UPDATE jobservice.retention_runs
SET candidates = candidates + $2, doomed = doomed + $3, doomed_bytes = doomed_bytes + $4
WHERE execution_id = $1
"""
DECISION_COLUMNS = ("execution_id", "round", "repository", "reference")


async def add(
    connection: Connection,
    execution_id: int,
    number: int,
    decided: Decided,
    references: Iterable[str],
) -> None:
    """Add a repository's decision to a round: the counts, and every reference that goes."""
    await connection.execute(
        ADD, execution_id, decided.candidates, decided.doomed, decided.doomed_bytes
    )
    await connection.copy_records_to_table(
        "retention_decisions",
        schema_name="jobservice",
        columns=DECISION_COLUMNS,
        records=((execution_id, number, decided.repository, one) for one in references),
    )


MORE = """
SELECT count(*) FROM jobservice.retention_decisions AS now
WHERE execution_id = $1 AND round = $2 AND NOT EXISTS (
    SELECT FROM jobservice.retention_decisions AS before
    WHERE before.execution_id = now.execution_id AND before.round = now.round - 1
      AND before.repository = now.repository AND before.reference = now.reference)
"""


async def more_than_before(connection: Connection, execution_id: int, number: int) -> int:
    """Return how much goes by a round that did not by the one before it."""
    return int(await connection.fetchval(MORE, execution_id, number))


FORGET = "DELETE FROM jobservice.retention_decisions WHERE execution_id = $1 AND round < $2"


async def forget_before(connection: Connection, execution_id: int, number: int) -> None:
    """Forget what earlier rounds decided."""
    await connection.execute(FORGET, execution_id, number)


FORGET_REPOSITORY = """
DELETE FROM jobservice.retention_decisions WHERE execution_id = $1 AND repository = $2
"""


async def forget_repository(connection: Connection, execution_id: int, repository: str) -> None:
    """Forget what was decided about a repository that is done."""
    await connection.execute(FORGET_REPOSITORY, execution_id, repository)


ALLOWED = """
SELECT reference FROM jobservice.retention_decisions
WHERE execution_id = $1 AND repository = $2 AND reference = ANY($3::text[])
  AND round = (SELECT round FROM jobservice.retention_runs WHERE execution_id = $1)
"""


async def allowed(
    connection: Connection, execution_id: int, repository: str, references: Sequence[str]
) -> frozenset[str]:
    """Return those references that may go: what was decided, and approved where that was asked."""
    rows = await connection.fetch(ALLOWED, execution_id, repository, list(references))
    return frozenset(row["reference"] for row in rows)


ASK = """
UPDATE jobservice.retention_runs
SET approval = 'waiting', reasons = $2, asked_at = now(), asked_round = round,
    expires_at = now() + $3 * interval '1 day', answered_at = NULL, answered_by = ''
WHERE execution_id = $1
RETURNING extract(epoch FROM expires_at - clock_timestamp())
"""


async def ask(
    connection: Connection, execution_id: int, reasons: Sequence[str], *, days: int
) -> float:
    """Let a run wait for somebody's answer; return for how many seconds at most."""
    return float(await connection.fetchval(ASK, execution_id, list(reasons), days))


ANSWER = """
UPDATE jobservice.retention_runs
SET approval = $2, answered_at = now(), answered_by = $3
WHERE execution_id = $1 AND approval = 'waiting' AND EXISTS (
    SELECT FROM jobservice.executions WHERE id = $1 AND ended_at IS NULL
)
RETURNING true
"""
# The plan first, as whoever settles it does.
LOCK_PLAN = """
SELECT id FROM jobservice.tasks WHERE execution_id = $1 AND is_plan ORDER BY id FOR NO KEY UPDATE
"""
WAKE = f"""
WITH woken AS (
    UPDATE jobservice.tasks SET not_before = now()
    WHERE execution_id = $1 AND is_plan AND status = 'pending' RETURNING id
)
SELECT count(*), pg_notify('{DISPATCH_CHANNEL}', '') FROM woken
"""  # noqa: S608  a constant


async def answer(connection: Connection, execution_id: int, approval: Approval, *, by: str) -> bool:
    """Write down an answer and wake the plan; False where nobody waits for one."""
    await connection.fetch(LOCK_PLAN, execution_id)
    if await connection.fetchval(ANSWER, execution_id, approval, by) is None:
        return False
    if approval is Approval.APPROVED:
        await connection.fetchrow(WAKE, execution_id)
    return True


LEFT = """
SELECT extract(epoch FROM expires_at - clock_timestamp())
FROM jobservice.retention_runs WHERE execution_id = $1
"""


async def seconds_left(connection: Connection, execution_id: int) -> float:
    """Return how long a run still waits for an answer; not above 0 once that is over."""
    return float(await connection.fetchval(LEFT, execution_id))


WAITING = """
SELECT count(*) FROM jobservice.retention_runs AS run
JOIN jobservice.executions AS execution ON execution.id = run.execution_id
WHERE run.approval = 'waiting' AND execution.ended_at IS NULL
"""


async def waiting(connection: Connection) -> int:
    """Return how many runs wait to be approved."""
    return int(await connection.fetchval(WAITING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """What the tasks of a run came to, as far as they have ended."""

    total: int = 0
    retained: int = 0
    deleted: int = 0
    untagged: int = 0
    deleted_bytes: int = 0
    refused: int = 0


SUM = """
SELECT coalesce(sum((result ->> 'total')::bigint), 0)::bigint AS total,
       coalesce(sum((result ->> 'retained')::bigint), 0)::bigint AS retained,
       coalesce(sum((result ->> 'deleted')::bigint), 0)::bigint AS deleted,
       coalesce(sum((result ->> 'untagged')::bigint), 0)::bigint AS untagged,
       coalesce(sum((result ->> 'deleted_bytes')::bigint), 0)::bigint AS deleted_bytes,
       coalesce(sum((result ->> 'refused')::bigint), 0)::bigint AS refused
FROM jobservice.tasks WHERE execution_id = $1 AND NOT is_plan AND result IS NOT NULL
"""


async def sum_of(connection: Connection, execution_id: int) -> Sum:
    """Return what the tasks of a run came to."""
    row: Any = await connection.fetchrow(SUM, execution_id)
    return Sum(**row)


# Nothing while a task has not told what rules selected: then nobody knows.
MATCHED = """
WITH told AS (
    SELECT result -> 'matched' AS matched FROM jobservice.tasks
    WHERE execution_id = $1 AND NOT is_plan
)
SELECT key AS rule, count(*) AS repositories, sum(value::bigint)::bigint AS selected
FROM told CROSS JOIN jsonb_each_text(told.matched)
WHERE NOT EXISTS (SELECT FROM told WHERE matched IS NULL)
GROUP BY key
"""
PLANNED = "SELECT result FROM jobservice.tasks WHERE execution_id = $1 AND is_plan"


async def coverage(
    connection: Connection, execution_id: int, rules: Sequence[str]
) -> Coverage | None:
    """Return what a run's rules met; None where that is not known, or not yet."""
    plan = await connection.fetchval(PLANNED, execution_id)
    rows = await connection.fetch(MATCHED, execution_id)
    if plan is None or bool(rows) is not bool(plan["repositories"]):
        return None
    return Coverage(
        rules=rules,
        covered=plan["repositories"],
        left_alone=plan["left_out"],
        repositories={row["rule"]: row["repositories"] for row in rows},
        selected={row["rule"]: row["selected"] for row in rows},
    )


PREVIOUS = f"""
SELECT id FROM jobservice.executions
WHERE vendor_type = '{VENDOR_TYPE}' AND vendor_id = $1 AND status = 'succeeded'
  AND NOT (policy_snapshot ->> 'dry_run')::boolean
ORDER BY id DESC LIMIT 1
"""  # noqa: S608  a constant


async def previous(connection: Connection, policy_id: int) -> Sum | None:
    """Return what the last run of a policy came to that succeeded and was no dry run."""
    found = await connection.fetchval(PREVIOUS, policy_id)
    return None if found is None else await sum_of(connection, found)


def _run(row: Record) -> RetentionRun:
    approval = row["approval"]
    return RetentionRun(
        **{
            **dict(row),
            "approval": None if approval is None else Approval(approval),
            "reasons": tuple(row["reasons"]),
        }
    )
