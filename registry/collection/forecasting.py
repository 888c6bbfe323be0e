"""What collection would do: asked of the same conditions, and nothing is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final

from database.pool import Connection, Database
from registry import garbage
from registry.collection import keeping
from registry.collection.reviewing import Scope
from registry.garbage import Look, Verdict
from registry.metadata import collection, collection_manifests, reclaimable
from registry.metadata import forecast as rows
from registry.metadata.forecast import Candidate
from registry.metadata.reclaimable import Totals

PAGE: Final = 1000


async def forecast(database: Database, scope: Scope) -> AsyncIterator[Sequence[Candidate]]:
    """Yield what reviews will take when their delays are over, repository by repository.

    It is as of one moment: leases, pins and holds count as they are now. A long one holds back
    nobody, and takes as much room in the database as there is garbage.
    """
    async with database.transaction(isolation="repeatable_read") as connection:
        await rows.begin(connection, delete_untagged=scope.delete_untagged)
        round_ = 0
        while True:
            await _judge(connection, round_, scope)
            if not await rows.follow(connection, round_):
                break
            round_ += 1
        await rows.find_blobs(connection)
        page: list[Candidate] = []
        async for candidate in rows.candidates(connection):
            page.append(candidate)
            if len(page) == PAGE:
                yield page
                page = []
        if page:
            yield page


async def _judge(connection: Connection, round_: int, scope: Scope) -> None:
    now, after = await collection.now(connection), 0
    while page := await rows.looks(connection, round_, after=after):
        after = page[-1].id
        by_id = {waiting.id: waiting for waiting in page}
        going = []
        for found in await collection_manifests.facts_without_gone(connection, list(by_id)):
            look = Look(
                reason=by_id[found.id].reason,
                queued_at=by_id[found.id].queued_at,
                attempts=0,
                now=now,
                delete_untagged=scope.delete_untagged,
            )
            judged = garbage.judge(found, look)
            if judged.verdict is Verdict.GARBAGE:
                going.append((found.id, judged.reason))
        kept = await keeping.kept_by_rules(connection, [id_ for id_, _ in going])
        await rows.note(connection, round_, [one for one in going if one[0] not in kept])


async def totals(database: Database) -> Totals:
    """Return what a sweep would free now, what it will after the window, and what holds up."""
    async with database.connection() as connection:
        return await reclaimable.totals(connection)
