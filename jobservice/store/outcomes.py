"""What executions left out and why: jobservice.outcomes and jobservice.outcome_examples."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from database.pool import Connection
from jobservice.domain.execution import LeftOut, Outcome

ADD = """
WITH given AS (
    SELECT reason, subject, detail, row_number() OVER (PARTITION BY reason ORDER BY ordinality) AS n
    FROM unnest($2::text[], $3::text[], $4::text[])
         WITH ORDINALITY AS given (reason, subject, detail, ordinality)
), counted AS (
    INSERT INTO jobservice.outcomes AS outcome (execution_id, reason, count)
    SELECT $1, reason, count(*) FROM given GROUP BY reason
    ON CONFLICT (execution_id, reason) DO UPDATE SET count = outcome.count + excluded.count
    RETURNING reason, count
), sizes AS (
    SELECT reason, count(*) AS size FROM given GROUP BY reason
)
INSERT INTO jobservice.outcome_examples (execution_id, reason, ordinal, subject, detail)
SELECT $1, given.reason, counted.count - sizes.size + given.n, given.subject, given.detail
FROM given JOIN counted USING (reason) JOIN sizes USING (reason)
WHERE counted.count - sizes.size + given.n <= 1000
"""


async def add(connection: Connection, execution_id: int, left_out: Iterable[LeftOut]) -> None:
    """Count what was left out and keep the first thousand of each reason."""
    items = list(left_out)
    if items:
        await connection.execute(
            ADD,
            execution_id,
            [item.reason for item in items],
            [item.subject for item in items],
            [item.detail for item in items],
        )


OF_EXECUTION = """
SELECT outcome.reason, outcome.count, example.subject, example.detail
FROM jobservice.outcomes AS outcome
LEFT JOIN jobservice.outcome_examples AS example
     ON example.execution_id = outcome.execution_id AND example.reason = outcome.reason
        AND example.ordinal <= $2
WHERE outcome.execution_id = $1
ORDER BY outcome.reason, example.ordinal
"""


async def of_execution(
    connection: Connection, execution_id: int, *, examples: int
) -> tuple[Outcome, ...]:
    """Return counts and the first so many examples by reason."""
    counts: dict[str, int] = {}
    found: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in await connection.fetch(OF_EXECUTION, execution_id, examples):
        counts[row["reason"]] = row["count"]
        if row["subject"] is not None:
            found[row["reason"]].append((row["subject"], row["detail"]))
    return tuple(
        Outcome(reason=reason, count=count, examples=tuple(found[reason]))
        for reason, count in counts.items()
    )
