"""Apply a retention policy's rules to one repository: decide, tell, and delete what goes.

What is deleted is counted in the transaction that deletes it, so that a task that runs twice counts
and deletes nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar, Final

from typing_extensions import override

from database.pool import Connection, Database
from jobservice.domain import retention_table as table
from jobservice.domain.retention import VENDOR_TYPE, RetentionSnapshot
from jobservice.domain.retention_tally import Gone, Tally
from jobservice.domain.retention_verdict import Deciding, Verdict
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed, Progress, TaskError
from jobservice.jobs.base import Answer, Failed, Run, Snoozed, Succeeded
from jobservice.jobs.retention_place import Fate, Place
from jobservice.jobs.retention_places import Places
from jobservice.jobs.typed import TypedJobType
from jobservice.store import checkpoints, outbox, retention_runs
from jobservice.store.outbox import Kind

AT_ONCE: Final = 50
# Lines of the table; the rest is counted.
GOING_SHOWN: Final = 2_000
KEPT_SHOWN: Final = 500
REFUSED_SECONDS: Final = 60.0
NOT_DECIDED: Final = "was not among what was decided before the run began"


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionTask:
    """One repository; a task `is_limited` deletes nothing that its execution did not decide on."""

    repository: str
    is_limited: bool = False


class Retention(TypedJobType[RetentionTask]):
    """The checkpoint is a Tally."""

    name: ClassVar[str] = VENDOR_TYPE
    queue: ClassVar[str] = "plan"
    parameters: ClassVar[type[RetentionTask]] = RetentionTask
    retry: ClassVar[RetryRule] = RetryRule(attempts=3, first_seconds=2, longest_seconds=60)
    concurrency: ClassVar[int | None] = 10

    def __init__(self, database: Database, places: Places) -> None:
        self._database = database
        self._places = places

    @override
    async def perform(self, run: Run, parameters: RetentionTask) -> Answer:
        """Decide by what is there now, and delete unless it is a dry run."""
        snapshot = RetentionSnapshot.from_json(run.task.snapshot)
        async with self._places.open(snapshot, run.confirm) as place:
            return await _Run(self._database, run, snapshot, place, parameters).perform()

    @override
    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Tell passing failures from what is final."""
        return self._places.explain(error, task)


class _Run:
    """One try of one task."""

    def __init__(
        self,
        database: Database,
        run: Run,
        snapshot: RetentionSnapshot,
        place: Place,
        parameters: RetentionTask,
    ) -> None:
        self._database = database
        self._run = run
        self._snapshot = snapshot
        self._place = place
        self._repository = parameters.repository
        self._is_limited = parameters.is_limited
        self._tally = Tally.of(run.task.checkpoint)
        self._resumed = not self._tally.is_empty
        self._shown = 0
        self._refused = 0

    async def perform(self) -> Answer:
        before = self._tally.deleted
        deciding = await self._place.decide(self._repository)
        self._begin_table(deciding)
        for batch in _batches(deciding.going()):
            if refusal := await self._deal_with(batch):
                reason = TaskError(message=refusal, kind="Refused")
                return Snoozed(delay_seconds=REFUSED_SECONDS, reason=reason)
            done = self._run.progress.items_done + len(batch)
            self._run.progress = Progress(items_done=done, items_total=deciding.doomed)
        self._end_table(deciding)
        total = deciding.total + before
        if not self._snapshot.dry_run and not self._tally.is_told:
            await self._database.run(lambda c: self._finish(c, total))
        return self._succeeded(deciding, total)

    async def _deal_with(self, batch: Sequence[Verdict]) -> str:
        """Delete a batch, or only tell of it; return why nothing may be deleted now, if so."""
        if self._snapshot.dry_run:
            self._tally = self._tally.plus([_gone(verdict) for verdict in batch])
            for verdict in batch:
                self._show("DELETE", verdict, verdict.reason)
            return ""
        if refusal := await self._place.refuses():
            return refusal
        await self._run.confirm()
        allowed = await self._allowed(batch)
        wanted = [verdict for verdict in batch if verdict.key in allowed]
        for verdict in batch:
            if verdict.key not in allowed:
                self._show("KEEP", verdict, NOT_DECIDED)
        for fate in await self._place.delete(self._repository, wanted, self._record):
            self._take_in(fate)
        return ""

    async def _allowed(self, batch: Sequence[Verdict]) -> frozenset[str]:
        references = [verdict.key for verdict in batch]
        if not self._is_limited:
            return frozenset(references)
        async with self._database.connection() as connection:
            return await retention_runs.allowed(
                connection, self._run.task.execution_id, self._repository, references
            )

    async def _record(self, connection: Connection, fates: Sequence[Fate]) -> None:
        """Count what was deleted as part of the open transaction; raise LeaseLost."""
        gone = [_gone(fate.verdict) for fate in fates if fate.is_gone]
        await checkpoints.write(connection, self._run.task, self._tally.plus(gone).to_json())

    def _take_in(self, fate: Fate) -> None:
        if fate.is_gone:
            self._tally = self._tally.plus([_gone(fate.verdict)])
            self._show("DELETED", fate.verdict, fate.verdict.reason)
        else:
            self._refused += 1
            self._show("REFUSED", fate.verdict, f"{fate.refusal} ({fate.verdict.reason})")

    async def _finish(self, connection: Connection, total: int) -> None:
        """Tell hooks of what was deleted, once, and forget what was decided beforehand."""
        task, tally = self._run.task, self._tally
        await retention_runs.forget_repository(connection, task.execution_id, self._repository)
        await checkpoints.write(connection, task, replace(tally, is_told=True).to_json())
        if not tally.is_empty:
            told = {
                "execution_id": task.execution_id,
                "task_id": task.id,
                "policy_id": self._snapshot.policy_id,
                "place": self._snapshot.place,
                "repository": self._repository,
                "total": total,
                "retained": total - tally.deleted,
                "deleted": tally.deleted,
                "untagged": tally.untagged,
                "deleted_bytes": tally.deleted_bytes,
                "refused": self._refused,
                "named": list(tally.named),
            }
            await outbox.add(connection, Kind.TAG_RETENTION, self._snapshot.project_id, told)

    def _succeeded(self, deciding: Deciding, total: int) -> Succeeded:
        result: dict[str, Any] = {
            "total": total,
            "retained": total - self._tally.deleted,
            "deleted": self._tally.deleted,
            "untagged": self._tally.untagged,
            "deleted_bytes": self._tally.deleted_bytes,
            "refused": self._refused,
            "dry_run": self._snapshot.dry_run,
            "remarks": list(deciding.remarks),
        }
        if not self._resumed:  # else what rules selected is gone by now
            result["matched"] = dict(deciding.matched)
        return Succeeded(result=result, unchanged=self._tally.is_empty)

    # The table

    def _begin_table(self, deciding: Deciding) -> None:
        verb = "would go" if self._snapshot.dry_run else "go"
        size = table.shown_bytes(deciding.doomed_bytes)
        self._run.show(
            f"{self._repository}: {deciding.doomed} of {deciding.total} {verb}, which frees {size}"
        )
        for remark in deciding.remarks:
            self._run.show(f"NOTE: {remark}")
        self._run.show(table.HEADING)

    def _show(self, word: str, verdict: Verdict, why: str) -> None:
        self._shown += 1
        if self._shown <= GOING_SHOWN:
            self._run.show(table.row(word, verdict, why))

    def _end_table(self, deciding: Deciding) -> None:
        if self._shown > GOING_SHOWN:
            self._run.show(f"… and {self._shown - GOING_SHOWN} more of these")
        for verdict in islice(deciding.kept(), KEPT_SHOWN):
            self._run.show(table.row(verdict.action.upper(), verdict, verdict.reason))
        kept = deciding.total - deciding.doomed
        if kept > KEPT_SHOWN:
            self._run.show(f"… and {kept - KEPT_SHOWN} more that stay")


def _batches(verdicts: Iterator[Verdict]) -> Iterator[tuple[Verdict, ...]]:
    while batch := tuple(islice(verdicts, AT_ONCE)):
        yield batch


def _gone(verdict: Verdict) -> Gone:
    return Gone(
        digest=verdict.digest,
        tags=verdict.tags,
        size_bytes=verdict.size_bytes,
        is_tag=verdict.tag is not None,
    )
