"""Find out which repositories a retention policy is about, and make a task of each.

A run that nobody started by hand is guarded: it decides everything first, and where that comes to
much it waits until somebody approves. Then it decides anew; for more than that it asks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import ClassVar, Final

import structlog
from typing_extensions import override

from database.pool import Connection, Database
from jobservice.domain.execution import LeftOut
from jobservice.domain.retention import APPROVAL_DAYS, PLAN_TYPE, Approval, RetentionSnapshot
from jobservice.domain.retention_plan import PlanState, Stage
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import Claimed, NewTask, Progress, TaskError
from jobservice.errors import ExecutionStopped
from jobservice.jobs.base import Answer, Failed, JobType, Run, Snoozed, Stopped, Succeeded
from jobservice.jobs.retention import Retention, RetentionTask
from jobservice.jobs.retention_place import Place
from jobservice.jobs.retention_places import Places
from jobservice.store import outbox, planning, retention_runs
from jobservice.store.executions import PLAN_QUEUE
from jobservice.store.outbox import Kind
from jobservice.store.planning import PlanPage
from jobservice.store.retention_runs import Decided
from registry.retention import guard
from registry.retention.guard import Guard

OUT_OF_SCOPE: Final = "no_rule_covers_it"
WAITS: Final = "WaitsForApproval"
EXPIRED: Final = TaskError(
    message=f"nobody approved within {APPROVAL_DAYS} days; nothing was deleted", kind="Expired"
)

log = structlog.get_logger(__name__)


class RetentionPlan(JobType):
    """No parameters: the execution's snapshot says everything. The checkpoint is a PlanState."""

    name: ClassVar[str] = PLAN_TYPE
    queue: ClassVar[str] = PLAN_QUEUE
    retry: ClassVar[RetryRule] = RetryRule(attempts=3, first_seconds=2, longest_seconds=60)

    def __init__(self, database: Database, places: Places) -> None:
        self._database = database
        self._places = places

    @override
    async def run(self, run: Run) -> Answer:
        """Go on from the checkpoint; what is written is written in fenced transactions."""
        snapshot = RetentionSnapshot.from_json(run.task.snapshot)
        state = PlanState.of(run.task.checkpoint, is_guarded=snapshot.is_guarded)
        try:
            async with self._places.open(snapshot) as place:
                return await _Plan(self._database, run, snapshot, place, state).run()
        except ExecutionStopped:
            return Stopped()

    @override
    def explain(self, error: Exception, task: Claimed) -> Failed | Snoozed:
        """Tell passing failures from what is final."""
        return self._places.explain(error, task)


class _Plan:
    """One try of one plan."""

    def __init__(
        self,
        database: Database,
        run: Run,
        snapshot: RetentionSnapshot,
        place: Place,
        state: PlanState,
    ) -> None:
        self._database = database
        self._run = run
        self._snapshot = snapshot
        self._place = place
        self._state = state

    async def run(self) -> Answer:
        while self._state.stage is not Stage.DONE:
            match self._state.stage:
                case Stage.DECIDING:
                    await self._decide()
                case Stage.ASKED:
                    answer = await self._wait()
                    if answer is not None:
                        return answer
                case _:
                    await self._plan()
        covered, left_out = self._state.covered, self._state.left_out
        log.info("retention_planned", repositories=covered, left_out=left_out)
        return Succeeded(
            result={"repositories": covered, "left_out": left_out},
            status_text=None if covered else f"0 of {left_out} repositories are covered by a rule",
        )

    async def _decide(self) -> None:
        """Decide about every repository, then about how to go on."""
        if not self._state.after:
            await self._database.run(self._begin_round)
        pages = self._place.repositories(after=self._state.after)
        async with aclosing(pages):
            async for names in pages:
                for name in filter(self._place.covers, names):
                    await self._decide_one(name)
        self._state = await self._database.run(self._concluded)

    async def _begin_round(self, connection: Connection) -> None:
        await self._write(connection, self._state)
        await retention_runs.begin_round(connection, self._run.task.execution_id, self._state.round)

    async def _decide_one(self, repository: str) -> None:
        deciding = await self._place.decide(repository)
        totals = deciding.added_to(self._state.totals, repository)
        state = self._state.decided(repository, totals)
        decided = Decided(
            repository=repository,
            candidates=deciding.total,
            doomed=deciding.doomed,
            doomed_bytes=deciding.doomed_bytes,
        )

        async def work(connection: Connection) -> None:
            references = (verdict.key for verdict in deciding.going())
            await retention_runs.add(
                connection, self._run.task.execution_id, state.round, decided, references
            )
            await self._write(connection, state)  # last: what it locks, heartbeats wait for

        await self._database.run(work)
        self._state = state
        done = self._run.progress.items_done + deciding.total
        self._run.progress = Progress(items_done=done)

    async def _concluded(self, connection: Connection) -> PlanState:
        """Go on to what was decided, or ask first."""
        execution_id, number = self._run.task.execution_id, self._state.round
        reasons = await self._reasons(connection)
        await retention_runs.forget_before(connection, execution_id, number)
        state = self._state.entering(Stage.ASKED if reasons else Stage.PLANNING)
        await self._write(connection, state)
        if reasons:
            await retention_runs.ask(connection, execution_id, reasons, days=APPROVAL_DAYS)
            await self._tell(connection, reasons)
            log.warning("retention_asks", reasons=reasons)
        return state

    async def _reasons(self, connection: Connection) -> list[str]:
        """Return why somebody has to approve first; nothing where nobody has to."""
        execution_id, state = self._run.task.execution_id, self._state
        decided = await retention_runs.get(connection, execution_id)
        assert decided is not None  # noqa: S101  a round has begun
        before = await retention_runs.previous(connection, self._snapshot.policy_id)
        found = [
            *guard.reasons_to_wait(
                state.totals,
                Guard(share_percent=self._snapshot.guard_percent),
                previous=before.deleted + before.untagged if before else None,
            )
        ]
        if decided.approval is not Approval.APPROVED:
            return found
        more = await retention_runs.more_than_before(connection, execution_id, state.round)
        return [f"{more} more would go than were approved", *found] if more else []

    async def _tell(self, connection: Connection, reasons: Sequence[str]) -> None:
        """Let hooks know that somebody has to look."""
        decided = await retention_runs.get(connection, self._run.task.execution_id)
        assert decided is not None and decided.expires_at is not None  # noqa: S101, PT018
        told = {
            "execution_id": self._run.task.execution_id,
            "policy_id": self._snapshot.policy_id,
            "place": self._snapshot.place,
            "candidates": decided.candidates,
            "doomed": decided.doomed,
            "doomed_bytes": decided.doomed_bytes,
            "reasons": list(reasons),
            "expires_at": decided.expires_at.isoformat(),
        }
        await outbox.add(connection, Kind.RETENTION_APPROVAL, self._snapshot.project_id, told)

    async def _wait(self) -> Answer | None:
        """Wait for an answer; None once somebody approved, and everything is decided anew."""
        execution_id = self._run.task.execution_id
        async with self._database.connection() as connection:
            asked = await retention_runs.get(connection, execution_id)
            left_seconds = await retention_runs.seconds_left(connection, execution_id)
        approval = asked.approval if asked else None
        match approval:
            case Approval.APPROVED:
                self._state = self._state.anew()
                return None
            case Approval.WAITING if left_seconds > 0:
                told = "; ".join(asked.reasons) if asked else ""
                reason = TaskError(message=f"somebody has to approve: {told}", kind=WAITS)
                return Snoozed(delay_seconds=left_seconds, reason=reason)
            case Approval.REJECTED:
                return Stopped()
            case _:
                await self._database.run(
                    lambda c: retention_runs.answer(c, execution_id, Approval.EXPIRED, by="")
                )
                return Failed(error=EXPIRED)

    async def _plan(self) -> None:
        """Make a task of each repository that a rule is about."""
        pages = self._place.repositories(after=self._state.after)
        async with aclosing(pages):
            async for names in pages:
                await self._plan_page(names)
        self._state = self._state.entering(Stage.DONE)

    async def _plan_page(self, names: Sequence[str]) -> None:
        covered = [name for name in names if self._place.covers(name)]
        others = [name for name in names if not self._place.covers(name)]
        state = self._state.planned(names[-1], covered=len(covered), left_out=len(others))
        page = PlanPage(
            number=state.pages,
            tasks=[self._task(name) for name in covered],
            left_out=[LeftOut(reason=OUT_OF_SCOPE, subject=name) for name in others],
            checkpoint=state.to_json(),
        )
        await self._database.run(lambda c: planning.write_page(c, self._run.task, page))
        self._state = state

    def _task(self, repository: str) -> NewTask:
        return Retention.task(
            RetentionTask(repository=repository, is_limited=self._snapshot.is_guarded)
        )

    async def _write(self, connection: Connection, state: PlanState) -> None:
        """Keep the state as part of the open transaction; raise LeaseLost, ExecutionStopped."""
        page = PlanPage(number=state.pages, checkpoint=state.to_json())
        await planning.write_page(connection, self._run.task, page)
