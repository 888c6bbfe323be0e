"""Collect garbage: queue untagged manifests if asked to, review what is due, sweep its bytes.

Each batch is the registry's own transaction and needs nobody else to be away: two runs, pushes and
deletions go on at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import ClassVar, Final

from typing_extensions import override

from database.pool import Database
from jobservice.domain.collection import VENDOR_TYPE, Account, CollectionParameters, Phase
from jobservice.domain.redaction import redact_text
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed, Progress, TaskError
from jobservice.errors import ReadOnly
from jobservice.jobs.base import Answer, Failed, JobType, Run, Succeeded
from jobservice.store import checkpoints
from jobservice.store.executions import PLAN_QUEUE
from registry.collection import forecasting, reviewing, sweeping, untagged
from registry.collection.reviewing import Scope
from registry.errors import RegistryStorageError
from registry.service import Registry
from replication import fanout

NAME: Final = VENDOR_TYPE
PAGE: Final = 1_000


class GarbageCollection(JobType):
    """The snapshot has Harbor's parameters; the checkpoint is the account, kept after each batch.

    Two at a time, so that a run by hand waits for no scheduled one, and plans keep their slots.
    """

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = PLAN_QUEUE
    retry: ClassVar[RetryRule] = RetryRule(attempts=3)
    concurrency: ClassVar[int | None] = 2

    def __init__(self, database: Database, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    @override
    async def run(self, run: Run) -> Answer:
        """Collect, or foretell what a collection would take."""
        asked = CollectionParameters.of(run.task.snapshot)
        work = _Work(self._database, self._registry, run, asked)
        run.note("collection_begins", **asked.to_json())
        account = await (work.foretell() if asked.dry_run else work.collect())
        run.note("collection_ends", **account.to_json())
        if account.refused:
            return Failed(error=_refusals(account))
        return Succeeded(result=account.to_json(), status_text=account.sentence(asked))

    @override
    def explain(self, error: Exception, task: Claimed) -> Failed:
        """Let a run try again that found the storage away."""
        del task
        return Failed(
            error=TaskError(
                message=redact_text(str(error)),
                kind=type(error).__name__,
                retryable=isinstance(error, RegistryStorageError),
            )
        )


class _Work:
    """One try of one run."""

    def __init__(
        self, database: Database, registry: Registry, run: Run, asked: CollectionParameters
    ) -> None:
        self._database = database
        self._registry = registry
        self._run = run
        self._asked = asked
        self._account = Account.of(run.task.checkpoint)
        self._keeping = asyncio.Lock()
        self._scope = Scope(ignore_delay=asked.release_now, delete_untagged=asked.delete_untagged)

    async def collect(self) -> Account:
        """Go through the phases, from the one that was reached before."""
        self._account.resume()
        steps: dict[Phase, Callable[[], Awaitable[None]]] = {
            Phase.UNTAGGED: self._queue_untagged,
            Phase.REVIEW: lambda: self._batches(self._review),
            Phase.SWEEP: lambda: self._batches(self._sweep),
        }
        for phase, step in steps.items():
            if phase is self._account.phase:
                self._run.note("phase_begins", phase=phase)
                await step()
                await self._reach(phase.following)
        return self._account

    async def foretell(self) -> Account:
        """Count what a run would take; nothing is written."""
        account = self._account = Account()
        async for page in forecasting.forecast(self._database, self._scope):
            for candidate in page:
                account.foresee(candidate.kind, candidate.bytes)
            self._show()
        await self._reach(Phase.DONE)
        return account

    async def _queue_untagged(self) -> None:
        after: int | None = self._account.queued_until
        while after is not None and self._asked.delete_untagged:
            await self._want_changes()
            after = await untagged.queue_untagged(self._database, after=after, limit=PAGE)
            if after is not None:
                self._account.queued_until = after
                await self._keep()

    async def _batches(self, batch: Callable[[], Awaitable[bool]]) -> None:
        """Do batches, as many at once as there are workers, until none finds more."""

        async def drain(_worker: int) -> None:
            while True:
                await self._want_changes()
                more = await batch()
                await self._keep()
                if not more:
                    return

        await fanout.for_each(range(self._asked.workers), drain, at_once=self._asked.workers)

    async def _review(self) -> bool:
        reviewed = await reviewing.review(self._database, self._scope)
        account = self._account
        account.manifests += reviewed.manifests
        account.links += reviewed.links
        account.blobs += reviewed.blobs
        account.collected_bytes += reviewed.bytes
        account.kept += reviewed.kept
        # What went may leave more behind that is due at once, where reviews have no delay.
        return reviewed.more or bool(reviewed.manifests + reviewed.links + reviewed.blobs)

    async def _sweep(self) -> bool:
        swept = await sweeping.sweep(
            self._database, self._registry.storage, release_now=self._asked.release_now
        )
        self._account.objects += swept.objects
        self._account.freed_bytes += swept.bytes
        for key, words in swept.failures:
            self._account.refuse(key, words)
        return swept.more

    async def _want_changes(self) -> None:
        """Return if this run may write; raise LeaseLost or ReadOnly."""
        await self._run.confirm()
        if await self._registry.admission.is_read_only():
            raise ReadOnly("no garbage is collected")

    async def _reach(self, phase: Phase) -> None:
        self._account.phase = phase
        if phase is Phase.DONE:
            await self._take_stock()
        await self._keep()

    async def _take_stock(self) -> None:
        self._account.reclaimable = asdict(await forecasting.totals(self._database))

    async def _keep(self) -> None:
        """Keep the account; one at a time, so that the last one written is the last one made."""
        self._show()
        async with self._keeping, self._database.transaction() as connection:
            await checkpoints.write(connection, self._run.task, self._account.to_json())

    def _show(self) -> None:
        account = self._account
        self._run.progress = Progress(
            items_done=account.manifests + account.blobs + account.objects,
            bytes_done=account.freed_bytes,
        )


def _refusals(account: Account) -> TaskError:
    first = "; ".join(account.words)
    return TaskError(
        message=(
            f"the storage would not delete {account.refused} objects, which are tried again later "
            f"({first}); everything else was done"
        ),
        kind="StorageRefused",
    )
