"""Putting untagged manifests into the queue, for a run or a project that wants them gone."""

from __future__ import annotations

import functools

from database.pool import Database
from registry.metadata import review_queue

DELETE_UNTAGGED = "delete_untagged"


async def queue_untagged(
    database: Database, *, after: int, limit: int, project_id: int | None = None
) -> int | None:
    """Queue the untagged of the next `limit` manifests by id, for a run with `delete_untagged`.

    Return where to go on, None at the end. The run has an hour to review what was queued.
    """
    return await database.run(
        functools.partial(
            review_queue.add_untagged,
            after=after,
            limit=limit,
            project_id=project_id,
            reason=DELETE_UNTAGGED,
        )
    )
