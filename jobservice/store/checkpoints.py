"""How far a running task has come, written with what it does: both, or neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from database.pool import Connection
from jobservice.domain.task import Claimed
from jobservice.errors import LeaseLost

WRITE = """
UPDATE jobservice.tasks SET checkpoint = $4
WHERE id = $1 AND delivery = $2 AND fence = $3 AND status = 'running'
RETURNING true
"""


async def write(connection: Connection, task: Claimed, checkpoint: Mapping[str, Any]) -> None:
    """Remember how far a task has come; raise LeaseLost, then the transaction must not commit."""
    held = await connection.fetchval(WRITE, task.id, task.delivery, task.fence, dict(checkpoint))
    if held is None:
        raise LeaseLost(task.id)
