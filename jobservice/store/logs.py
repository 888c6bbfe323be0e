"""The log of tasks: jobservice.task_log_chunks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from database.pool import Connection

READ_LIMIT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of one claim's log."""

    task_id: int
    fence: int
    sequence: int
    text: str


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


TEXT = """
SELECT text FROM (
    SELECT text, fence, sequence,
           sum(octet_length(text)) OVER (ORDER BY fence DESC, sequence DESC) AS size
    FROM jobservice.task_log_chunks WHERE task_id = $1
) AS chunk
WHERE size <= $2 ORDER BY fence, sequence
"""


async def text(connection: Connection, task_id: int) -> str:
    """Return a task's log, the last READ_LIMIT_BYTES of it."""
    rows = await connection.fetch(TEXT, task_id, READ_LIMIT_BYTES)
    return "".join(row["text"] for row in rows)
