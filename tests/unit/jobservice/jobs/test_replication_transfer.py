"""Transfers that have nothing to go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from jobservice.domain.task import Claimed
from jobservice.jobs.base import Failed, Run
from jobservice.jobs.registries import Registries
from jobservice.jobs.replication_transfer import NOT_PLANNED, ReplicationTransfer


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A try of a task, as far as it is looked at here."""

    task: Claimed


async def test_what_its_plan_could_not_look_up_says_so_when_it_is_retried() -> None:
    task = Claimed(
        id=1,
        execution_id=1,
        job_type=ReplicationTransfer.name,
        is_plan=False,
        parameters={"source_repository": "a", "destination_repository": "a", "tags": ["1"]},
        snapshot={},
        checkpoint=None,
        delivery=2,
        attempt=1,
        fence=1,
        stop_requested=False,
    )
    job_type = ReplicationTransfer(cast("Registries", None))
    answer = await job_type.run(cast("Run", Retried(task=task)))
    assert isinstance(answer, Failed)
    assert answer.error.message == NOT_PLANNED
    assert not answer.error.retryable
