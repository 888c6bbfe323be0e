"""What a run of a retention policy would do, told piece by piece; nothing is written."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

from database.pool import Database
from jobservice.domain.retention import RetentionSnapshot
from jobservice.domain.retention_coverage import Coverage
from jobservice.domain.retention_preview import Form, Head, Total
from jobservice.jobs.retention_places import Places
from jobservice.store import retention_runs
from registry.retention import guard
from registry.retention.guard import Guard


async def preview(
    database: Database,
    places: Places,
    snapshot: RetentionSnapshot,
    form: Form,
) -> AsyncGenerator[str, None]:
    """Yield a preview in pieces, one repository after the other."""
    total = Total(coverage=Coverage(rules=snapshot.rules.names))
    async with places.open(snapshot) as place:
        yield form.begin(
            Head(
                place=snapshot.place,
                decided_at=datetime.now(UTC),
                policy_id=snapshot.policy_id or None,
            )
        )
        pages = place.repositories(after="")
        async with aclosing(pages):
            async for names in pages:
                for name in names:
                    if not place.covers(name):
                        total.leave(name)
                        continue
                    deciding = await place.decide(name)
                    total.add(name, deciding)
                    for piece in form.repository(name, deciding):
                        yield piece
    yield form.end(total, await _asks(database, snapshot, total))


async def _asks(database: Database, snapshot: RetentionSnapshot, total: Total) -> list[str]:
    """Return why a scheduled run would wait to be approved."""
    previous = None
    if snapshot.policy_id:
        async with database.connection() as connection:
            before = await retention_runs.previous(connection, snapshot.policy_id)
        previous = before.deleted + before.untagged if before else None
    share = Guard(share_percent=snapshot.guard_percent)
    return [*guard.reasons_to_wait(total.guarded, share, previous=previous)]
