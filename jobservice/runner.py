"""One try of a task: claim, perform beside the heartbeat, settle.

Postgres decides who runs what. A delivery that cannot be claimed is somebody else's, void, or of a
job type that this version does not know: it is left quietly. Whatever happens inside the job ends
in one answer; writing that answer is the only thing that must happen, and if it cannot, the lease
runs out and the rescuer takes over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import assert_never

import structlog

from database.pool import Database
from jobservice import logging as service_logging
from jobservice import verdicts
from jobservice.claimer import Claimer
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import TaskError
from jobservice.errors import LeaseLost
from jobservice.holding import Ending, Holding, Holdings
from jobservice.jobs.base import Answer, Failed, JobType, Snoozed, Stopped, Succeeded
from jobservice.settler import Ended, Settler
from jobservice.store import dispatching
from jobservice.store.failures import POSTGRES_FAILURES

AGAIN_SECONDS = 0.5
POSTGRES_PAUSE_SECONDS = 2.0
CLAIM_PATIENCE_SECONDS = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where a process's tasks are claimed and settled."""

    database: Database
    claimer: Claimer
    settler: Settler


class Runner:
    """Runs the tasks of one process."""

    def __init__(
        self,
        desk: Desk,
        *,
        job_types: Mapping[str, JobType],
        holdings: Holdings,
        on_settled: Callable[[], None],
    ) -> None:
        self._database = desk.database
        self._claimer = desk.claimer
        self._settler = desk.settler
        self._worker = desk.claimer.claimant.name
        self._job_types = job_types
        self._holdings = holdings
        self._on_settled = on_settled
        self._draining = asyncio.Event()

    def drain(self) -> None:
        """Claim nothing more and cancel what runs, to be given back."""
        self._draining.set()
        self._holdings.shut_down()

    async def run_task(self, task_id: int, delivery: int) -> None:
        """Run a delivered task to the end of one try; never raises."""
        try:
            holding = await self._claim_patiently(task_id, delivery)
            if holding is None:
                return
            with self._holdings.holding(holding), _TaskContext(holding):
                started_at = monotonic()
                answer = await self._perform(holding)
                settlement = self._decide(holding, answer, monotonic() - started_at)
                await self._settle_surely(holding, settlement)
        except Exception:
            log.exception("task_left_to_the_rescuer", task=task_id)

    async def _claim_patiently(self, task_id: int, delivery: int) -> Holding | None:
        """Claim through a restart of Postgres: Redis has forgotten this delivery already."""
        give_up_at = monotonic() + CLAIM_PATIENCE_SECONDS
        while True:
            try:
                return await self._claim(task_id, delivery)
            except POSTGRES_FAILURES as error:
                if monotonic() > give_up_at:
                    raise
                log.warning("claiming_failed", task=task_id, reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _claim(self, task_id: int, delivery: int) -> Holding | None:
        if self._draining.is_set():
            reason = verdicts.shutdown_reason(self._worker)
            async with self._database.connection() as connection:
                await dispatching.release(connection, task_id, delivery, reason=reason)
            return None
        asked_at = monotonic()
        task = await self._claimer.claim(task_id, delivery)
        if task is None:
            return None
        lease_seconds = self._claimer.claimant.lease_seconds
        holding = Holding(
            task,
            database=self._database,
            lease_until=asked_at + lease_seconds,
            lease_seconds=lease_seconds,
        )
        if task.stop_requested:
            holding.end(Ending.STOPPED)
        elif self._draining.is_set():
            holding.end(Ending.SHUTDOWN)
        return holding

    async def _perform(self, holding: Holding) -> Answer | None:
        """Run the job; None when it was cut short, as `holding.ending` says."""
        job_type = self._job_types[holding.task.job_type]
        answer: Answer | None = None
        async with holding.cancellable():
            answer = await self._guarded(job_type, holding)
        if holding.ending is None or isinstance(answer, Succeeded):
            return answer
        return None

    async def _guarded(self, job_type: JobType, holding: Holding) -> Answer | None:
        limit = asyncio.timeout(job_type.timeout_seconds)
        try:
            async with limit:
                return await job_type.run(holding)
        except LeaseLost:
            holding.ending = Ending.LEASE_LOST
        except POSTGRES_FAILURES as error:
            reason = TaskError(message=str(error), kind=type(error).__name__, retryable=True)
            return Snoozed(delay_seconds=POSTGRES_PAUSE_SECONDS, reason=reason)
        except Exception as error:
            if limit.expired():
                return Failed(error=_timed_out(job_type))
            # A job that was cancelled may wrap that in an error of its own.
            if holding.ending is None:
                log.debug("job_raised", exc_info=error)
                return job_type.explain(error, holding.task)
        return None

    def _decide(
        self, holding: Holding, answer: Answer | None, duration_seconds: float
    ) -> Settlement | None:
        """Return what is written; None when the task is lost and nothing may be."""
        task = holding.task
        if answer is None and holding.ending is Ending.SHUTDOWN:
            return verdicts.given_back(task, self._worker, duration_seconds=duration_seconds)
        if answer is None and holding.ending is Ending.STOPPED:
            answer = Stopped()
        if answer is None:
            return None
        _tell(answer)
        return verdicts.settlement(
            task,
            answer,
            self._job_types[task.job_type].retry,
            jitter=random.random(),  # noqa: S311  spreads retries, guards nothing
            duration_seconds=duration_seconds,
        )

    async def _settle_surely(self, holding: Holding, settlement: Settlement | None) -> None:
        """Write the end, again and again while the lease lasts: Postgres may be restarting."""
        if settlement is None:
            log.warning("task_lost", reason="another worker holds it or will")
            self._settler.lose()
            return
        ended = Ended(settlement=settlement, chunks=holding.log.take())
        while True:
            try:
                ours = await self._settler.settle(ended)
            except POSTGRES_FAILURES as error:
                if monotonic() > holding.lease_until:
                    raise
                log.warning("settling_failed", reason=str(error))
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            except Exception as error:
                log.exception("settlement_refused")
                ours = await self._settler.settle(
                    Ended(settlement=verdicts.unkept(settlement, error))
                )
            if not ours:
                log.warning("task_lost", reason="another worker holds it; nothing was written")
            self._on_settled()
            return


class _TaskContext:
    """Makes every log line inside carry execution, task and attempt, and reach the task's log."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding

    def __enter__(self) -> None:
        task = self._holding.task
        self._tokens = structlog.contextvars.bind_contextvars(
            execution=task.execution_id, task=task.id, attempt=task.attempt
        )
        self._log_token = service_logging.current_task_log.set(self._holding.log)

    def __exit__(self, *_: object) -> None:
        service_logging.current_task_log.reset(self._log_token)
        structlog.contextvars.reset_contextvars(**self._tokens)


def _timed_out(job_type: JobType) -> TaskError:
    return TaskError(
        message=f"the task ran longer than {job_type.timeout_seconds:.0f} s, its type's limit",
        kind="TimedOut",
        retryable=True,
    )


def _tell(answer: Answer) -> None:
    match answer:
        case Succeeded(unchanged=unchanged):
            log.info("task_succeeded", unchanged=unchanged)
        case Stopped():
            log.info("task_stopped")
        case Snoozed(delay_seconds=delay_seconds, reason=reason, registry=registry):
            facts = {"reason": reason.message if reason else "it cannot run now"}
            if registry:
                facts["registry"] = registry
            log.info("task_snoozed", delay_seconds=delay_seconds, **facts)
        case Failed(error=error):
            log.error("task_failed", **error.to_json())
        case _:
            assert_never(answer)
