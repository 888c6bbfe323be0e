"""Make a task of everything that is gone in this registry and is to go at the destination."""

from __future__ import annotations

from typing import ClassVar

from typing_extensions import override

from database.pool import Database
from jobservice.domain.execution import LeftOut
from jobservice.domain.policy import PolicySnapshot
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed, NewTask
from jobservice.errors import ExecutionStopped
from jobservice.jobs import explaining
from jobservice.jobs.base import Answer, Failed, JobType, Run, Snoozed, Stopped, Succeeded
from jobservice.jobs.registries import Registries
from jobservice.jobs.replication_deletion import ReplicationDeletion
from jobservice.store import planning as planning_store
from jobservice.store.executions import PLAN_QUEUE
from jobservice.store.planning import PlanPage
from protocol.content import ListedArtifact
from replication import naming
from replication.deletion import Deletion
from replication.errors import UnknownDestination
from replication.policy import ReplicationPolicy

NAME = "replication_deletion_plan"


class ReplicationDeletionPlan(JobType):
    """No parameters: the snapshot's `only` is what is gone, a tag or an artifact each."""

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = PLAN_QUEUE
    retry: ClassVar[RetryRule] = RetryRule(attempts=3, first_seconds=2, longest_seconds=60)

    def __init__(self, registries: Registries, database: Database) -> None:
        self._registries = registries
        self._database = database

    @override
    async def run(self, run: Run) -> Answer:
        """Plan in one fenced page."""
        snapshot = PolicySnapshot.from_json(dict(run.task.snapshot))
        if run.task.checkpoint is None:
            async with self._registries.pair(run.task.execution_id, snapshot) as pair:
                minimum = pair.destination.info.minimum_components
            page = deletion_page(snapshot.only or (), snapshot.rules, minimum)
            try:
                await self._database.run(lambda c: planning_store.write_page(c, run.task, page))
            except ExecutionStopped:
                return Stopped()
        return Succeeded(result={"artifacts_matched": len(snapshot.only or ())})

    @override
    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Tell passing failures from what is final."""
        return explaining.explain(error, task)


def deletion_page(
    gone: tuple[ListedArtifact, ...], policy: ReplicationPolicy, minimum_components: int
) -> PlanPage:
    """Return the tasks; what has no name at the destination was never there and is left out."""
    tasks: list[NewTask] = []
    left_out: list[LeftOut] = []
    for artifact in gone:
        try:
            destination = naming.destination_repository(
                artifact.repository,
                policy.destination_namespace,
                policy.flattening,
                minimum_components=minimum_components,
            )
        except UnknownDestination as error:
            subject = f"{artifact.repository}@{artifact.digest}"
            left_out.append(LeftOut(reason=str(error), subject=subject))
            continue
        assert artifact.digest is not None  # noqa: S101 what is gone is known by its digest
        deletion = Deletion(
            source_repository=artifact.repository,
            destination_repository=destination,
            digest=artifact.digest,
            tag=artifact.tags[0] if artifact.tags else None,
        )
        tasks.append(ReplicationDeletion.task(deletion))
    return PlanPage(number=1, tasks=tasks, settled=[], left_out=left_out, checkpoint={"number": 1})
