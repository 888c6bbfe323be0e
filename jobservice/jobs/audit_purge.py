"""Take old entries out of the audit log, a batch at a time."""

from __future__ import annotations

from typing import ClassVar, Final

from typing_extensions import override

from access import audit
from access.audit import Purge
from database.pool import Database
from jobservice.domain.purge import VENDOR_TYPE, PurgeParameters
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Progress
from jobservice.jobs.base import Answer, JobType, Run, Succeeded

NAME: Final = VENDOR_TYPE
BATCH: Final = 1_000


class AuditPurge(JobType):
    """The snapshot has Harbor's parameters. A batch is a transaction: what is gone stays gone."""

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = "plan"
    retry: ClassVar[RetryRule] = RetryRule(attempts=3)
    concurrency: ClassVar[int | None] = 1

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def run(self, run: Run) -> Answer:
        """Purge, or count what a purge would take."""
        asked = PurgeParameters.of(run.task.snapshot)
        wanted = Purge(
            retention_hours=asked.retention_hours, events=asked.events, dry_run=asked.dry_run
        )
        verb = "would be deleted" if asked.dry_run else "deleted"
        run.note("purge_begins", **asked.to_json())
        count, after = 0, 0
        while True:
            await run.confirm()
            batch = await self._database.run(
                lambda connection, after=after: audit.purge(  # type: ignore[misc]
                    connection, wanted, after=after, limit=BATCH
                )
            )
            count += batch.count
            run.progress = Progress(items_done=count)
            if batch.last_id is None or batch.count < BATCH:
                break
            after = batch.last_id
        run.note("purge_ends", count=count, dry_run=asked.dry_run)
        return Succeeded(
            result={"deleted": 0 if asked.dry_run else count, "found": count},
            status_text=f"{count} entries {verb}",
        )
