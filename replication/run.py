"""A whole run in one process: plan and copy at the same time. No server, no database."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.base import Adapter
from replication import copy, planning
from replication.context import CopyContext
from replication.errors import ReplicationError, Side, failing
from replication.fanout import first
from replication.limits import Bandwidth
from replication.plan import Counts, PlanFailure, SkipTally
from replication.policy import ReplicationPolicy
from replication.transfer import Outcome, Transfer, TransferReport

_TRANSFERS_AT_ONCE: Final = 16
_EXAMPLES: Final = 1000


@dataclass(slots=True)
class RunReport:
    """What a run came to. Failures and omissions are shown up to a thousand, and counted on."""

    counts: Counts = field(default_factory=Counts)
    skips: SkipTally = field(default_factory=SkipTally)
    transfers_copied: int = 0
    transfers_up_to_date: int = 0
    failures: int = 0
    failed: list[PlanFailure] = field(default_factory=list)
    bytes_copied: int = 0
    bytes_saved: int = 0
    blobs_copied: int = 0
    blobs_mounted: int = 0
    blobs_skipped: int = 0
    manifests_copied: int = 0
    tags_written: int = 0
    referrers_copied: int = 0
    omitted: list[str] = field(default_factory=list)

    def add(self, report: TransferReport) -> None:
        """Count a transfer that ended well."""
        self.transfers_copied += report.outcome is Outcome.COPIED
        self.transfers_up_to_date += report.outcome is Outcome.UP_TO_DATE
        for name in _SUMMED:
            setattr(self, name, getattr(self, name) + getattr(report, name))
        room = _EXAMPLES - len(self.omitted)
        self.omitted.extend(report.omitted[:room])

    def fail(self, failure: PlanFailure) -> None:
        """Count what could not be planned or copied."""
        self.failures += 1
        if len(self.failed) < _EXAMPLES:
            self.failed.append(failure)


_SUMMED: Final = (
    "bytes_copied",
    "bytes_saved",
    "blobs_copied",
    "blobs_mounted",
    "blobs_skipped",
    "manifests_copied",
    "tags_written",
    "referrers_copied",
)


async def run(
    source: Adapter,
    destination: Adapter,
    policy: ReplicationPolicy,
    *,
    context: CopyContext | None = None,
    transfers_at_once: int = _TRANSFERS_AT_ONCE,
) -> RunReport:
    """Carry out a policy once. One artifact's failure is in the report and does not stop others.

    Raise PlanningFailed, InvalidPattern or UnsupportedFilter when there is nothing to go on with.
    """
    one = _Run(
        source, destination, policy, replace(context or CopyContext(), referrers=policy.referrers)
    )
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(transfers_at_once):
                group.create_task(one.work())
            await one.plan()
    except BaseExceptionGroup as failures:
        error = first(failures)
        raise error from error.__cause__
    return one.report


async def perform(
    transfer: Transfer, source: Adapter, destination: Adapter, context: CopyContext
) -> TransferReport:
    """Prepare the destination repository, once per process, and copy; raise CopyFailed."""
    name = transfer.destination_repository
    memory = context.memory
    async with memory.turns.turn(("prepare", name)):
        if not memory.is_prepared(name):
            with failing(Side.SOURCE, "asking who may read", transfer.source_repository):
                public = await source.visibility(transfer.source_repository)
            with failing(Side.DESTINATION, "preparing repository", name):
                await destination.prepare(name, public=public)
            memory.mark_prepared(name)
    return await copy.copy_transfer(
        transfer,
        source=source.content(transfer.source_repository),
        destination=destination.content(name),
        context=context,
    )


class _Run:
    def __init__(
        self, source: Adapter, destination: Adapter, policy: ReplicationPolicy, context: CopyContext
    ) -> None:
        self.report = RunReport()
        self._source = source
        self._destination = destination
        self._policy = policy
        self._context = context
        self._queue: asyncio.Queue[Transfer | None] = asyncio.Queue(maxsize=64)

    async def plan(self) -> None:
        """Plan page by page, as fast as the copying takes it."""
        pages = planning.plan_pages(
            self._source, self._destination, self._policy, limits=self._context.limits
        )
        async with aclosing(pages):
            async for page in pages:
                self.report.counts += page.counts
                self.report.skips.add(page.skips)
                for failure in page.failures:
                    self.report.fail(failure)
                for transfer in page.transfers:
                    await self._queue.put(transfer)
        await self._queue.put(None)

    async def work(self) -> None:
        """Carry out transfers until the plan has no more."""
        while (transfer := await self._queue.get()) is not None:
            await self._carry_out(transfer)
        await self._queue.put(None)

    async def _carry_out(self, transfer: Transfer) -> None:
        bandwidth = Bandwidth.from_kilobits(self._policy.speed_kilobits)
        context = replace(self._context, bandwidth=bandwidth)
        try:
            report = await perform(transfer, self._source, self._destination, context)
        except ReplicationError as error:
            self.report.fail(
                PlanFailure(
                    repository=transfer.source_repository,
                    reference=",".join(transfer.tags) or str(transfer.digest),
                    cause=error,
                )
            )
        else:
            self.report.add(report)
