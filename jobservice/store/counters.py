"""The table jobservice.counters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from database.pool import Connection
from jobservice.domain.counting import Key

# The rows of a worker are its own, and written by one transaction of it at a time: nobody waits.
ADD = """
INSERT INTO jobservice.counters AS known (worker_id, name, labels, value)
SELECT $1, added.name, added.labels::text[], added.value
FROM unnest($2::text[], $3::text[], $4::double precision[]) AS added (name, labels, value)
ORDER BY added.name, added.labels
ON CONFLICT (worker_id, name, labels) DO UPDATE SET value = known.value + excluded.value
"""


async def add(connection: Connection, worker_id: int, counts: Mapping[Key, float]) -> None:
    """Add to a worker's counters."""
    if counts:
        await connection.execute(
            ADD,
            worker_id,
            [name for name, _ in counts],
            [_array(labels) for _, labels in counts],
            list(counts.values()),
        )


def _array(labels: tuple[str, ...]) -> str:
    """Return an array of texts as Postgres writes it: one parameter cannot hold ragged arrays."""
    quoted = (label.replace("\\", r"\\").replace('"', r"\"") for label in labels)
    return "{" + ",".join(f'"{label}"' for label in quoted) + "}"


TOTALS = "SELECT name, labels, sum(value) AS value FROM jobservice.counters GROUP BY name, labels"


async def totals(connection: Connection) -> Counter[Key]:
    """Return the sums over all workers."""
    found: Counter[Key] = Counter()
    for row in await connection.fetch(TOTALS):
        found[row["name"], tuple(row["labels"])] = row["value"]
    return found
