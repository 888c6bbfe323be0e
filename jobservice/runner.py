"""One try of a task: claim, perform beside the heartbeat, settle.

Postgres decides who runs what. A delivery that cannot be claimed is somebody else's, void, or of a
job type that this version does not know: it is left quietly. Whatever happens inside the job ends
in one answer; writing that answer is the only thing that must happen, and if it cannot, the lease
runs out and the rescuer takes over.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import assert_never

import structlog

from database.pool import Connection, Database
from jobservice import logging as service_logging
from jobservice.domain.task import Claimed, TaskError, TaskStatus
from jobservice.errors import LeaseLost
from jobservice.holding import Ending, Holding, Holdings
from jobservice.jobs.base import Answer, Failed, JobType, Snoozed, Stopped, Succeeded
from jobservice.store import claiming, dispatching, logs, settling
from jobservice.store.failures import POSTGRES_FAILURES

AGAIN_SECONDS = 0.5
POSTGRES_PAUSE_SECONDS = 2.0
CLAIM_PATIENCE_SECONDS = 10.0
MESSAGE_LIMIT = 4000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """Under which name tasks are claimed, and for how long at first."""

    worker_id: int
    seconds: float = claiming.LEASE_SECONDS


class Runner:
    """Runs the tasks of one process."""

    def __init__(
        self,
        *,
        database: Database,
        lease: Lease,
        job_types: Mapping[str, JobType],
        holdings: Holdings,
        on_settled: Callable[[], None],
    ) -> None:
        self._database = database
        self._lease = lease
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
                answer = await self._perform(holding)
                await self._settle_surely(holding, answer)
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
            async with self._database.connection() as connection:
                await dispatching.release(connection, task_id, delivery)
            return None
        claimed_at = monotonic()
        async with self._database.connection() as connection:
            task = await claiming.claim(
                connection,
                task_id,
                delivery,
                worker_id=self._lease.worker_id,
                job_types=list(self._job_types),
                lease_seconds=self._lease.seconds,
            )
        if task is None:
            return None
        holding = Holding(
            task, database=self._database, lease_until=claimed_at + self._lease.seconds
        )
        if task.stop_requested:
            holding.end(Ending.STOPPED)
        elif self._draining.is_set():
            holding.end(Ending.SHUTDOWN)
        return holding

    async def _perform(self, holding: Holding) -> Answer | None:
        """Run the job; None when the task is lost and nothing may be written."""
        job_type = self._job_types[holding.task.job_type]
        answer: Answer | None = None
        async with holding.cancellable():
            answer = await self._guarded(job_type, holding)
        if holding.ending is None or isinstance(answer, Succeeded):
            return answer
        return _ended(holding.ending)

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
                return job_type.explain(error)
        return None

    async def _settle_surely(self, holding: Holding, answer: Answer | None) -> None:
        """Write the answer, again and again while the lease lasts: Postgres may be restarting."""
        if answer is None:
            log.warning("task_lost", reason="another worker holds it or will")
            return
        _tell(answer)
        chunks = holding.log.take()
        while True:
            try:
                ours = await self._database.run(
                    lambda c: self._settle(c, holding.task, answer, chunks)
                )
            except Exception:
                if monotonic() > holding.lease_until:
                    raise
                log.exception("settling_failed")
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            if not ours:
                log.warning("task_lost", reason="another worker holds it; nothing was written")
            self._on_settled()
            return

    async def _settle(
        self,
        connection: Connection,
        task: Claimed,
        answer: Answer,
        chunks: Sequence[logs.Chunk],
    ) -> bool:
        await logs.append(connection, chunks)
        match answer:
            case Succeeded():
                return await settling.settle(connection, task, _success(answer))
            case Stopped():
                stopped = settling.Final(status=TaskStatus.STOPPED)
                return await settling.settle(connection, task, stopped)
            case Snoozed(delay_seconds=delay_seconds, reason=reason):
                return await settling.snooze(
                    connection, task, reason=reason, delay_seconds=delay_seconds
                )
            case Failed(error=error):
                return await self._settle_failure(connection, task, error)
            case _:
                assert_never(answer)

    async def _settle_failure(
        self, connection: Connection, task: Claimed, error: TaskError
    ) -> bool:
        rule = self._job_types[task.job_type].retry
        if error.retryable and rule.allows(task.attempt):
            jitter = random.random()  # noqa: S311  spreads retries, guards nothing
            delay_seconds = rule.delay_seconds(task.attempt, jitter=jitter)
            return await settling.retry(connection, task, error=error, delay_seconds=delay_seconds)
        final = settling.Final(
            status=TaskStatus.FAILED,
            error=error,
            status_text=error.message[:MESSAGE_LIMIT] if task.is_plan else None,
        )
        return await settling.settle(connection, task, final)


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


def _ended(ending: Ending) -> Answer | None:
    match ending:
        case Ending.STOPPED:
            return Stopped()
        case Ending.SHUTDOWN:
            return Snoozed(delay_seconds=0)
        case Ending.LEASE_LOST:
            return None
        case _:
            assert_never(ending)


def _success(answer: Succeeded) -> settling.Final:
    return settling.Final(
        status=TaskStatus.SUCCEEDED,
        result=dict(answer.result),
        unchanged=answer.unchanged,
        status_text=answer.status_text,
    )


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
        case Snoozed(delay_seconds=delay_seconds, reason=reason):
            message = reason.message if reason else "the worker shuts down"
            log.info("task_snoozed", delay_seconds=delay_seconds, reason=message)
        case Failed(error=error):
            log.error("task_failed", **error.to_json())
        case _:
            assert_never(answer)
