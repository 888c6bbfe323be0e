"""The log of tasks: jobservice.task_log_chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of one claim's log."""

    task_id: int
    fence: int
    sequence: int
    text: str

    @property
    def place(self) -> tuple[int, int]:
        """Where a reader has come with it."""
        return self.fence, self.sequence


APPEND = """
INSERT INTO jobservice.task_log_chunks (task_id, fence, sequence, text)
SELECT task_id, fence, sequence, text
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[])
     AS chunk (task_id, fence, sequence, text)
WHERE EXISTS (SELECT FROM jobservice.tasks AS task
              WHERE task.id = chunk.task_id AND task.fence = chunk.fence)
ON CONFLICT DO NOTHING
"""


async def append(connection: Connection, chunks: Sequence[Chunk]) -> None:
    """Keep pieces of logs; those of claims that somebody else has taken over are dropped."""
    if chunks:
        await connection.execute(
            APPEND,
            [chunk.task_id for chunk in chunks],
            [chunk.fence for chunk in chunks],
            [chunk.sequence for chunk in chunks],
            [chunk.text for chunk in chunks],
        )
        await _trim(connection, chunks)


# What the log of a task may come to, all claims together; the newest of it is kept.
TASK_LIMIT_BYTES = 4 * 1024 * 1024
CUT = "the log is cut here: of all that a task writes the last 4 MiB are kept\n"

# A claim's own text is capped by its worker: to look at all of them once for each claim will do.
TRIM = """
WITH sized AS (
    SELECT task_id, fence, sequence,
           sum(octet_length(text)) OVER (PARTITION BY task_id ORDER BY fence DESC, sequence DESC)
               AS size
    FROM jobservice.task_log_chunks WHERE task_id = ANY($1::bigint[]) AND fence > 0
), gone AS (
    DELETE FROM jobservice.task_log_chunks AS chunk USING sized
    WHERE chunk.task_id = sized.task_id AND chunk.fence = sized.fence
      AND chunk.sequence = sized.sequence AND sized.size > $2
    RETURNING chunk.task_id
)
INSERT INTO jobservice.task_log_chunks (task_id, fence, sequence, text)
SELECT DISTINCT task_id, 0, 0, $3 FROM gone
ON CONFLICT DO NOTHING
"""


async def _trim(connection: Connection, chunks: Sequence[Chunk]) -> None:
    begun = {chunk.task_id for chunk in chunks if chunk.sequence == 1 and chunk.fence > 1}
    if begun:
        await connection.execute(TRIM, sorted(begun), TASK_LIMIT_BYTES, CUT)


ALL = """
SELECT fence, sequence, text FROM jobservice.task_log_chunks
WHERE task_id = $1 AND (fence, sequence) > ($2, $3)
ORDER BY fence, sequence LIMIT $4
"""


async def after(
    connection: Connection, task_id: int, place: tuple[int, int], *, limit: int
) -> tuple[Chunk, ...]:
    """Return the next pieces of a task's log behind a place."""
    rows = await connection.fetch(ALL, task_id, *place, limit)
    return tuple(Chunk(task_id=task_id, **row) for row in rows)
