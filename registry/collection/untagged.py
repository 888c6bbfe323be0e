"""Putting untagged manifests into the queue, for a run or a project that wants them gone."""

from __future__ import annotations

import functools

from database.pool import Connection, Database
from registry.metadata import project_settings, review_queue

DELETE_UNTAGGED = "delete_untagged"
UNTAGGED = "untagged"
PAGE = 5000


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


async def queue_for_projects(database: Database, *, limit: int = PAGE) -> bool:
    """Queue a page of a project that changed `untagged_keep_days`; say whether there was one."""

    async def work(connection: Connection) -> bool:
        project = await project_settings.next_unqueued(connection)
        if project is None:
            return False
        queued_to = await review_queue.add_untagged(
            connection,
            after=project.queued_to,
            limit=limit,
            project_id=project.project_id,
            reason=UNTAGGED,
        )
        await project_settings.note_queued(connection, project.project_id, queued_to)
        return True

    return await database.run(work)
