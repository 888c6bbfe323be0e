"""Find out what a policy means today, page by page, and make a task of every artifact to copy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, ClassVar

import structlog
from typing_extensions import override

from database.pool import Database
from jobservice.domain.execution import LeftOut
from jobservice.domain.policy import PolicySnapshot
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed, NewTask
from jobservice.errors import ExecutionStopped
from jobservice.jobs import explaining, replication_transfer
from jobservice.jobs.base import Answer, Failed, JobType, Run, Snoozed, Stopped, Succeeded
from jobservice.jobs.registries import Registries
from jobservice.store import planning as planning_store
from jobservice.store.executions import PLAN_QUEUE
from jobservice.store.planning import PlanPage, Settled
from protocol import counting
from replication import naming, planning
from replication.cursor import Cursor
from replication.errors import UnknownDestination
from replication.plan import Counts, PlanFailure, SkipReason
from replication.planning import PlannedPage
from replication.policy import ReplicationPolicy
from replication.transfer import Outcome

NAME = "replication_plan"

log = structlog.get_logger(__name__)


class ReplicationPlan(JobType):
    """No parameters: the execution's snapshot says everything. The checkpoint is the cursor."""

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = PLAN_QUEUE
    retry: ClassVar[RetryRule] = RetryRule(attempts=3, first_seconds=2, longest_seconds=60)

    def __init__(self, registries: Registries, database: Database) -> None:
        self._registries = registries
        self._database = database

    @override
    async def run(self, run: Run) -> Answer:
        """Plan from the checkpoint on; each page is one fenced transaction."""
        snapshot = PolicySnapshot.from_json(dict(run.task.snapshot))
        progress = _PlanProgress.from_json(run.task.checkpoint)
        try:
            with counting.requests_made() as made:
                if not progress.is_done:
                    await self._plan(run, snapshot, progress)
        except ExecutionStopped:
            return Stopped()
        counts = progress.counts
        log.info("plan_done", pages=progress.number, **asdict(counts))
        nothing = not counts.artifacts_matched
        return Succeeded(
            result={**asdict(counts), "requests": made.total},
            unchanged=False,
            status_text=f"nothing to replicate: {counts}" if nothing else None,
        )

    @override
    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Tell passing failures and a registry's wish for a pause from what is final."""
        return explaining.explain(error, task)

    async def _plan(self, run: Run, snapshot: PolicySnapshot, progress: _PlanProgress) -> None:
        async with self._registries.pair(run.task.execution_id, snapshot) as pair:
            pages = planning.plan_pages(
                pair.source,
                pair.destination,
                snapshot.rules,
                cursor=progress.cursor,
                limits=pair.context.limits,
                only=snapshot.only,
            )
            async with aclosing(pages):
                async for page in pages:
                    progress.advance(page)
                    await self._write(run, stored_page(page, snapshot.rules, progress))

    async def _write(self, run: Run, page: PlanPage) -> None:
        await self._database.run(lambda c: planning_store.write_page(c, run.task, page))
        run.note(
            "page_planned",
            page=page.number,
            tasks=len(page.tasks),
            settled=len(page.settled),
            left_out=len(page.left_out),
        )


class _PlanProgress:
    """How far the plan is: the checkpoint's content."""

    def __init__(
        self, *, number: int, counts: Counts, cursor: Cursor | None, is_done: bool
    ) -> None:
        self.number = number
        self.counts = counts
        self.cursor = cursor
        self.is_done = is_done

    @classmethod
    def from_json(cls, value: Any) -> _PlanProgress:
        if value is None:
            return cls(number=0, counts=Counts(), cursor=None, is_done=False)
        return cls(
            number=value["number"],
            counts=Counts(**value["counts"]),
            cursor=Cursor.from_json(value["cursor"]) if value["cursor"] else None,
            is_done=value["cursor"] is None,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "counts": asdict(self.counts),
            "cursor": self.cursor.to_json() if self.cursor else None,
        }

    def advance(self, page: PlannedPage) -> None:
        self.number += 1
        self.counts += page.counts
        self.cursor = page.cursor
        self.is_done = page.cursor is None


def stored_page(page: PlannedPage, policy: ReplicationPolicy, progress: _PlanProgress) -> PlanPage:
    """Return what is written for a page of the plan."""
    return PlanPage(
        number=progress.number,
        tasks=[
            replication_transfer.ReplicationTransfer.task(transfer) for transfer in page.transfers
        ],
        settled=[
            *(_failed(failure, policy) for failure in page.failures),
            *(() if page.transfers else _up_to_date(page, policy)),
        ],
        left_out=[LeftOut(reason=skip.reason, subject=str(skip)) for skip in page.skips],
        checkpoint=progress.to_json(),
    )


def _task(parameters: dict[str, Any]) -> NewTask:
    return NewTask(
        job_type=replication_transfer.NAME,
        queue=replication_transfer.QUEUE,
        parameters=parameters,
    )


def _failed(failure: PlanFailure, policy: ReplicationPolicy) -> Settled:
    tags = [failure.reference] if failure.reference else []
    task = _task(_parameters(failure.repository, tags, policy))
    return Settled(task=task, error=explaining.error_of(failure.cause))


def _up_to_date(page: PlannedPage, policy: ReplicationPolicy) -> Iterator[Settled]:
    """Yield one task that is done for each repository of the page that has nothing to copy."""
    tags: dict[str, list[str]] = {}
    for skip in page.skips:
        if skip.reason is SkipReason.UP_TO_DATE:
            tags.setdefault(skip.repository, []).append(skip.reference)
    for repository, references in tags.items():
        task = _task(_parameters(repository, references, policy))
        yield Settled(task=task, result={"outcome": Outcome.UP_TO_DATE})


def _parameters(repository: str, tags: list[str], policy: ReplicationPolicy) -> dict[str, Any]:
    """Return a transfer's parameters as far as they are known without one."""
    try:
        destination = naming.destination_repository(
            repository, policy.destination_namespace, policy.flattening
        )
    except UnknownDestination:
        destination = ""
    return {
        "source_repository": repository,
        "destination_repository": destination,
        "digest": None,
        "tags": tags,
    }
