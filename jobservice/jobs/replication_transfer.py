"""Copy one artifact with its tags and referrers from one registry to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import structlog
from typing_extensions import override

from jobservice.domain.policy import PolicySnapshot, SnapshotEndpoint
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed, Progress, TaskError
from jobservice.jobs import explaining
from jobservice.jobs.base import Answer, Failed, Run, Snoozed, Succeeded
from jobservice.jobs.registries import Registries
from jobservice.jobs.typed import TypedJobType
from protocol import counting
from protocol.descriptor import Descriptor
from replication import run as replication_run
from replication.limits import Bandwidth
from replication.progress import Silence
from replication.tally import Settled
from replication.transfer import Outcome, Transfer, TransferReport

NAME = "replication_transfer"
QUEUE = "transfer"
NOT_PLANNED = "its plan could not find out what to copy; start the policy again, which plans anew"

log = structlog.get_logger(__name__)


class ReplicationTransfer(TypedJobType[Transfer]):
    """Parameters: replication.transfer.Transfer. Result: TransferReport and `requests` made."""

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = QUEUE
    parameters: ClassVar[type[Transfer]] = Transfer
    retry: ClassVar[RetryRule] = RetryRule(attempts=3, first_seconds=2, longest_seconds=60)

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    @override
    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Transfer:
        """Return the transfer that a task's row holds."""
        return Transfer.from_json(document)

    @override
    @classmethod
    def write(cls, parameters: Transfer) -> Mapping[str, Any]:
        """Return a transfer as a task's row holds it."""
        return parameters.to_json()

    @override
    async def run(self, run: Run) -> Answer:
        """Copy; what its plan could not plan has nothing to copy, also when it is retried."""
        if run.task.parameters.get("digest") is None:
            return Failed(error=TaskError(message=NOT_PLANNED, kind="NotPlanned"))
        return await super().run(run)

    @override
    async def perform(self, run: Run, parameters: Transfer) -> Answer:
        """Copy; what is there already is not moved again."""
        snapshot = PolicySnapshot.from_json(dict(run.task.snapshot))
        transfer = parameters
        if run.task.fence > 1:
            # An earlier try may have left something at the destination.
            transfer = replace(transfer, fresh=False)
        log.info(
            "transfer_started",
            source=f"{_place(snapshot.source)} {transfer.source}",
            destination=f"{_place(snapshot.destination)} {transfer.destination_repository}",
            digest=str(transfer.digest),
        )
        report, requests = await self._copy(run, snapshot, transfer)
        for omitted in report.omitted:
            run.note("omitted", what=omitted)
        return Succeeded(
            result={**report.to_json(), "requests": requests},
            unchanged=report.outcome is Outcome.UP_TO_DATE,
        )

    async def _copy(
        self, run: Run, snapshot: PolicySnapshot, transfer: Transfer
    ) -> tuple[TransferReport, int]:
        """Return what the copy came to, and how many requests it took."""
        async with self._registries.pair(run.task.execution_id, snapshot) as pair:
            context = replace(
                pair.context,
                bandwidth=Bandwidth.from_kilobits(snapshot.rules.speed_kilobits),
                listener=_Meter(run),
                before_commit=run.confirm,
                referrers=snapshot.rules.referrers,
            )
            with counting.requests_made() as made:
                report = await replication_run.perform(
                    transfer, pair.source, pair.destination, context
                )
        return report, made.total

    @override
    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Tell passing failures and a registry's wish for a pause from what is final."""
        return explaining.explain(error, task)


def _place(end: SnapshotEndpoint) -> str:
    return end.url or "this registry"


class _Meter(Silence):
    """Turns what the copy tells into progress, and into lines of the task's log."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @override
    def blob_found(self, transfer: Transfer, blob: Descriptor) -> None:
        self._add(bytes_total=blob.size_bytes, items_total=1)

    @override
    def blob_moved(self, transfer: Transfer, blob: Descriptor, count_bytes: int) -> None:
        self._add(bytes_done=count_bytes)

    @override
    def blob_settled(self, transfer: Transfer, blob: Descriptor, how: str) -> None:
        moved = how == Settled.COPIED
        self._add(items_done=1, bytes_total=0 if moved else -blob.size_bytes)
        self._run.note(f"blob_{how}", digest=blob.digest, size_bytes=blob.size_bytes)

    @override
    def manifest_written(self, transfer: Transfer, reference: str) -> None:
        self._run.note("manifest_written", reference=reference)

    def _add(
        self,
        *,
        bytes_done: int = 0,
        bytes_total: int = 0,
        items_done: int = 0,
        items_total: int = 0,
    ) -> None:
        known = self._run.progress
        self._run.progress = Progress(
            bytes_done=max(0, known.bytes_done + bytes_done),
            bytes_total=max(0, (known.bytes_total or 0) + bytes_total),
            items_done=known.items_done + items_done,
            items_total=(known.items_total or 0) + items_total,
        )
