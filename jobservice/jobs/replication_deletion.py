"""Delete at the destination what was deleted in this registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from typing_extensions import override

from jobservice.domain.policy import PolicySnapshot
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed
from jobservice.jobs import explaining, replication_transfer
from jobservice.jobs.base import Answer, Failed, Run, Snoozed, Succeeded
from jobservice.jobs.registries import Registries
from jobservice.jobs.typed import TypedJobType
from replication import deletion
from replication.deletion import Deletion, Fate

NAME = "replication_deletion"


class ReplicationDeletion(TypedJobType[Deletion]):
    """Parameters: replication.deletion.Deletion. Result: what became of it."""

    name: ClassVar[str] = NAME
    queue: ClassVar[str] = replication_transfer.QUEUE
    parameters: ClassVar[type[Deletion]] = Deletion
    retry: ClassVar[RetryRule] = RetryRule(attempts=3, first_seconds=2, longest_seconds=60)

    def __init__(self, registries: Registries) -> None:
        self._registries = registries

    @override
    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Deletion:
        """Return the deletion that a task's row holds."""
        return Deletion.from_json(document)

    @override
    @classmethod
    def write(cls, parameters: Deletion) -> Mapping[str, Any]:
        """Return a deletion as a task's row holds it."""
        return parameters.to_json()

    @override
    async def perform(self, run: Run, parameters: Deletion) -> Answer:
        """Delete, unless it is back at the source or something else at the destination."""
        snapshot = PolicySnapshot.from_json(dict(run.task.snapshot))
        async with self._registries.pair(run.task.execution_id, snapshot) as pair:
            fate = await deletion.delete(
                parameters,
                pair.source.content(parameters.source_repository),
                pair.destination.content(parameters.destination_repository),
                before_commit=run.confirm,
            )
        run.note(
            "deletion_ended",
            repository=parameters.destination_repository,
            reference=parameters.reference,
            outcome=fate,
        )
        return Succeeded(result={"outcome": fate}, unchanged=fate is not Fate.DELETED)

    @override
    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Tell passing failures and a registry's wish for a pause from what is final."""
        return explaining.explain(error, task)
