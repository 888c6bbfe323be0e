"""Any order of claims, settlements, losses, rescues, stops, pauses, snoozes, on a real Postgres."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from typing_extensions import override

from database.pool import Connection, Database
from jobservice import dispatching as rounds
from jobservice import executions, pauses, tasks
from jobservice.domain.execution import NewExecution
from jobservice.domain.pause import Held, PauseScope
from jobservice.domain.policy import TriggerKind
from jobservice.domain.settlement import Settlement
from jobservice.domain.task import Claimed, NewTask, TaskStatus
from jobservice.errors import ExecutionStopped, LeaseLost, PreconditionFailed
from jobservice.store import dispatching, leader, limits, planning, rescuing, settling, workers
from jobservice.store.dispatching import Delivery
from jobservice.store.workers import NewWorker
from tests import invariants
from tests.integration.jobservice.conftest import ERROR, claimed, settled

Result = TypeVar("Result")
NEW = NewExecution(
    vendor_type="test",
    job_type="plan",
    policy_id=None,
    trigger=TriggerKind.MANUAL,
    snapshot={},
    endpoint_ids=(0, 7),
)
REGISTRY = 7
HOLDS = (
    Held(scope=PauseScope.JOB_TYPE, key="act"),
    Held(scope=PauseScope.JOB_TYPE, key="plan"),
    Held(scope=PauseScope.EVERYTHING),
)
WORKER = NewWorker(
    host="here",
    pid=1,
    version="1",
    zone=None,
    job_types=["act", "plan"],
    slots={"plan": 2, "transfer": 2},
)
# The round is told that the worker lives, whatever time the machine takes.
ALIVE = "UPDATE jobservice.workers SET heartbeat_at = now() + interval '1 hour'"
GONE_BY = "UPDATE jobservice.endpoint_limits SET postponed_until = now()"
POSTPONED = """
SELECT count(*) FROM jobservice.endpoint_limits WHERE postponed_until > clock_timestamp()
"""
TYPES = "SELECT DISTINCT job_type FROM jobservice.tasks WHERE id = ANY($1::bigint[])"
FINALS = (TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.STOPPED)
LEADER = 99
AGE = "UPDATE jobservice.tasks SET rescues = 9 WHERE id = $1 AND status = 'running'"
PENDING = """
SELECT id FROM jobservice.tasks
WHERE status = 'pending' AND queue = $1 AND (not_before IS NULL OR not_before <= now())
ORDER BY id LIMIT 2
"""


class Lifecycle(RuleBasedStateMachine):
    """Executions; old deliveries and old claims stay in the bundles and are tried again."""

    dsn = ""
    runner: asyncio.Runner
    deliveries = Bundle("deliveries")
    claims = Bundle("claims")

    def do(self, work: Awaitable[Result]) -> Result:
        async def awaited() -> Result:
            return await work

        return self.runner.run(awaited())

    @initialize()
    def start(self) -> None:
        self.database: Database = self.do(Database.connect(self.dsn, max_size=1))
        self.do(self._clear())
        self.execution_ids = [self.do(executions.start(self.database, NEW))]
        self.settled: Counter[int] = Counter()
        self.held: set[Held] = set()
        self.pages = 0

    async def _clear(self) -> None:
        async with self.database.connection() as connection:
            await connection.execute(
                "TRUNCATE jobservice.executions, jobservice.tasks, jobservice.pauses,"
                " jobservice.endpoint_limits, jobservice.workers CASCADE"
            )
            await workers.register(connection, WORKER)
            await connection.execute(ALIVE)

    @override
    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.do(self.database.close())

    @rule(target=deliveries, queue=st.sampled_from(["plan", "transfer"]))
    def dispatch(self, queue: str) -> Any:
        return multiple(*self.do(self._dispatch(queue)))

    async def _dispatch(self, queue: str) -> tuple[Delivery, ...]:
        async with self.database.connection() as connection:
            leadership = await leader.acquire(connection, LEADER)
            assert leadership is not None
            await dispatching.promote_retries(connection, leadership)
            rows = await connection.fetch(PENDING, queue)
            return await dispatching.take(connection, leadership, [row["id"] for row in rows])

    @rule(target=deliveries)
    def dispatch_in_turn(self) -> Any:
        found, types, is_postponed = self.do(self._round())
        assert not (found and is_postponed), "a registry that asked for a pause is left alone"
        assert types.isdisjoint(self._paused_types()), "what is paused is not dispatched"
        return multiple(*found)

    async def _round(self) -> tuple[tuple[Delivery, ...], set[str], bool]:
        async with self.database.connection() as connection:
            leadership = await leader.acquire(connection, LEADER)
            assert leadership is not None
            await dispatching.promote_retries(connection, leadership)
            is_postponed = bool(await connection.fetchval(POSTPONED))
            found = await rounds.dispatch(connection, leadership, {})
            rows = await connection.fetch(TYPES, [one.task_id for one in found])
        return found, {row["job_type"] for row in rows}, is_postponed

    def _paused_types(self) -> set[str]:
        everything = any(held.scope is PauseScope.EVERYTHING for held in self.held)
        return {"act", "plan"} if everything else {held.key for held in self.held}

    @rule(held=st.sampled_from(HOLDS))
    def pause(self, held: Held) -> None:
        self.do(pauses.pause(self.database, held, by="somebody"))
        self.held.add(held)

    @rule(held=st.sampled_from(HOLDS))
    def resume(self, held: Held) -> None:
        assert self.do(pauses.resume(self.database, held)) is (held in self.held)
        self.held.discard(held)

    @rule(held=claims, seconds=st.sampled_from([0.0, 600.0]))
    def snooze_for_a_registry(self, held: Claimed, seconds: float) -> None:
        self.do(self.database.run(lambda c: self._snooze(c, held, seconds)))

    async def _snooze(self, connection: Connection, held: Claimed, seconds: float) -> None:
        """Settle as the settler does: the registry is left alone only if the claim stood."""
        waits = Settlement(task=held, status=TaskStatus.PENDING, error=ERROR, delay_seconds=seconds)
        if await settling.settle(connection, [waits]):
            await limits.postpone(connection, REGISTRY, seconds, "429")

    @rule()
    def let_the_pause_go_by(self) -> None:
        self.do(self._let_go_by())

    async def _let_go_by(self) -> None:
        async with self.database.connection() as connection:
            await connection.execute(GONE_BY)

    @rule(lost=deliveries)
    def lose_in_redis(self, lost: Delivery) -> None:
        self.do(self._take_back(lost))

    async def _take_back(self, lost: Delivery) -> None:
        async with self.database.connection() as connection:
            leadership = await leader.acquire(connection, LEADER)
            assert leadership is not None
            await dispatching.take_back(connection, leadership, [lost])

    @rule(target=claims, delivery=deliveries, is_doomed=st.booleans())
    def claim(self, delivery: Delivery, *, is_doomed: bool) -> Any:
        task = self.do(self._claim(delivery, is_doomed=is_doomed))
        return multiple(task) if task else multiple()

    async def _claim(self, delivery: Delivery, *, is_doomed: bool) -> Claimed | None:
        async with self.database.connection() as connection:
            return await claimed(
                connection,
                delivery.task_id,
                delivery.number,
                lease_seconds=-1 if is_doomed else 60,
            )

    @rule(held=claims, status=st.sampled_from(FINALS))
    def settle(self, held: Claimed, status: TaskStatus) -> None:
        if self.do(self.database.run(lambda c: settled(c, held, status))):
            self.settled[held.id] += 1

    @rule(held=claims, status=st.sampled_from([TaskStatus.PENDING, TaskStatus.RETRYING]))
    def let_it_run_again(self, held: Claimed, status: TaskStatus) -> None:
        self.do(self.database.run(lambda c: settled(c, held, status)))

    @rule(held=st.lists(claims, min_size=2, max_size=5), status=st.sampled_from(FINALS))
    def settle_together(self, held: list[Claimed], status: TaskStatus) -> None:
        error = ERROR if status is TaskStatus.FAILED else None
        batch = [Settlement(task=task, status=status, error=error) for task in held]
        for task_id, _ in self.do(self.database.run(lambda c: settling.settle(c, batch))):
            self.settled[task_id] += 1

    @rule(
        held=claims,
        keys=st.lists(st.sampled_from([None, "a", "b"]), max_size=3),
        priority=st.sampled_from([None, -1, 1]),
    )
    def plan_page(self, held: Claimed, keys: list[str | None], priority: int | None) -> None:
        if not held.is_plan:
            return
        new = [
            NewTask(
                job_type="act",
                queue="transfer",
                parameters={},
                priority=priority,
                unique_key=key,
            )
            for key in keys
        ]
        page = planning.PlanPage(number=self.pages + 1, tasks=new, checkpoint={})
        try:
            self.do(self.database.run(lambda c: planning.write_page(c, held, page)))
        except (LeaseLost, ExecutionStopped):
            return
        self.pages += 1

    @rule()
    def rescue(self) -> None:
        self.do(self._rescue())

    async def _rescue(self) -> None:
        async with self.database.connection() as connection:
            leadership = await leader.acquire(connection, LEADER)
            assert leadership is not None
            await rescuing.rescue(connection, leadership)

    @precondition(lambda self: len(self.execution_ids) < 3)
    @rule(priority=st.sampled_from([-1, 0, 1]))
    def start_another(self, priority: int) -> None:
        new = replace(NEW, priority=priority)
        self.execution_ids.append(self.do(executions.start(self.database, new)))

    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(self.execution_ids))
        self.do(executions.stop(self.database, chosen))

    @rule(held=claims)
    def stop_a_task(self, held: Claimed) -> None:
        self.do(tasks.stop(self.database, held.id, by="somebody"))

    @rule(held=claims)
    def retry_by_hand(self, held: Claimed) -> None:
        try:
            self.do(tasks.retry(self.database, held.id, by="somebody"))
        except PreconditionFailed:
            return
        self.settled.pop(held.id, None)

    @rule(held=claims)
    def be_rescued_nine_times(self, held: Claimed) -> None:
        self.do(self._age(held))

    async def _age(self, held: Claimed) -> None:
        async with self.database.connection() as connection:
            await connection.execute(AGE, held.id)

    @invariant()
    def what_always_holds_holds(self) -> None:
        if hasattr(self, "execution_ids"):
            assert self.do(self._broken()) == {}

    async def _broken(self) -> dict[str, list[str]]:
        async with self.database.connection() as connection:
            return await invariants.broken(connection)

    @invariant()
    def nothing_takes_effect_twice(self) -> None:
        assert all(count == 1 for count in getattr(self, "settled", {}).values())


def test_no_order_of_events_breaks_an_execution(dsn: str) -> None:
    with asyncio.Runner() as runner:
        Lifecycle.dsn = dsn
        Lifecycle.runner = runner
        run_state_machine_as_test(
            Lifecycle,
            settings=settings(
                max_examples=15,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
