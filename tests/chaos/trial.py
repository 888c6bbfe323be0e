"""One trial: faults under load, then what became of every task, judged from outside."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests import invariants
from tests.chaos import audit, effects
from tests.chaos.effects import Claim
from tests.chaos.faults import Fault
from tests.chaos.house import House
from tests.chaos.load import ARTIFACTS, Load
from tests.chaos.receiver import Receiver
from tests.chaos.strike import Strike

BACKLOG = 3
WARM_TASKS = 10
WARM_SECONDS = 90.0
END_SECONDS = 240.0
RECOVERY_SECONDS = 35.0
REDIS_RECOVERY_SECONDS = 2.0


@dataclass(slots=True, kw_only=True)
class Stage:
    """Everything that a trial needs."""

    house: House
    load: Load
    receiver: Receiver
    chance: random.Random
    is_short: bool = False


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What a trial came to."""

    name: str
    seconds: float = 0
    tasks: int = 0
    messages: int = 0
    rescues: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    on_the_wire: int = 0
    zombie_writes: list[str] = field(default_factory=list)
    recovery_seconds: float | None = None
    redis_seconds: float | None = None
    attempts: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """What was not as promised, empty if all was."""
        found = [
            *(f"lost: {one}" for one in self.lost),
            *(f"doubled: {one}" for one in self.doubled),
            *(f"written by a zombie: {one}" for one in self.zombie_writes),
            *self.violations,
        ]
        if self.attempts:
            found.append(f"{self.attempts} attempts wrongly spent")
        if (self.recovery_seconds or 0) > RECOVERY_SECONDS:
            found.append(f"recovery took {self.recovery_seconds:.1f} s")
        if (self.redis_seconds or 0) > REDIS_RECOVERY_SECONDS:
            found.append(f"after Redis was back it took {self.redis_seconds:.1f} s")
        return found


MARK = """
SELECT (SELECT coalesce(max(id), 0) FROM jobservice.executions) AS execution,
       (SELECT coalesce(max(id), 0) FROM jobservice.task_events) AS event
"""
ENDED_TASKS = """
SELECT count(*) FROM jobservice.tasks
WHERE execution_id > $1 AND job_type = 'replication_transfer' AND status = 'succeeded'
"""
UNFINISHED = """
SELECT (SELECT count(*) FROM jobservice.executions WHERE id > $1 AND ended_at IS NULL)
       + (SELECT count(*) FROM jobservice.outbox)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """What was there before a trial."""

    execution: int
    event: int
    zombie: int
    write: int
    accepted: int


async def run(name: str, faults: Sequence[Fault], stage: Stage) -> Verdict:
    """Break things under load, wait until everything has ended, and judge."""
    verdict = Verdict(name=name)
    begun_at = time.time()
    mark = await _mark(stage)
    stage.receiver.pids |= {worker.pid for worker in stage.house.workers}
    strike = Strike(
        house=stage.house,
        load=stage.load,
        receiver=stage.receiver,
        chance=stage.chance,
        is_short=stage.is_short,
    )
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(stage.load.keep(BACKLOG, stop))
        try:
            await _until(stage.house, ENDED_TASKS, mark.execution, WARM_TASKS, WARM_SECONDS)
            for fault in faults:
                await fault(strike)
        finally:
            stop.set()
    connection = await stage.house.connect()
    try:
        verdict.violations += stage.house.ended_alone()
        await _wait_for_the_end(connection, mark.execution, verdict)
        judge = _Judge(connection, mark, verdict)
        await judge.losses(stage.load.accepted[mark.accepted :])
        await judge.effects(stage.receiver)
        judge.recovery(strike)
        await judge.rules()
    finally:
        await connection.close()
    verdict.seconds = time.time() - begun_at
    return verdict


async def drain(house: House) -> None:
    """Wait until all work has ended, as a trial that broke off left it."""
    connection = await house.connect()
    try:
        await _wait_for_the_end(connection, 0, Verdict(name="left"))
    finally:
        await connection.close()


async def _mark(stage: Stage) -> _Mark:
    connection = await stage.house.connect()
    try:
        row = await connection.fetchrow(MARK)
        return _Mark(
            execution=row["execution"],
            event=row["event"],
            zombie=await audit.last(connection),
            write=len(stage.receiver.writes),
            accepted=len(stage.load.accepted),
        )
    finally:
        await connection.close()


async def _until(house: House, query: str, mark: int, least: int, seconds: float) -> None:
    connection = await house.connect()
    try:
        async with asyncio.timeout(seconds):
            while await connection.fetchval(query, mark) < least:  # noqa: ASYNC110 - a row sets none
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def _wait_for_the_end(connection: Any, mark: int, verdict: Verdict) -> None:
    try:
        async with asyncio.timeout(END_SECONDS):
            while await connection.fetchval(UNFINISHED, mark):  # noqa: ASYNC110 - a row sets none
                await asyncio.sleep(0.2)
    except TimeoutError:
        verdict.violations.append(f"not everything had ended after {END_SECONDS:.0f} s")


EXECUTIONS = """
SELECT id, status, total FROM jobservice.executions WHERE id > $1 AND vendor_type = 'replication'
"""
TASKS = """
SELECT id, status, attempt, rescues, error ->> 'message' AS message,
       parameters ->> 'destination_repository' AS repository, parameters -> 'tags' ->> 0 AS tag
FROM jobservice.tasks WHERE execution_id > $1 AND job_type = 'replication_transfer'
"""
MESSAGES = """
SELECT task.id, task.status, task.attempt, task.rescues, task.error ->> 'message' AS message,
       delivery.event_id::text AS event,
       extract(epoch FROM delivery.delivered_at)::double precision AS noted
FROM jobservice.hook_deliveries AS delivery JOIN jobservice.tasks AS task ON task.id = task_id
WHERE task.execution_id > $1
"""
CLAIMS = """
SELECT event.task_id, event.fence, known.pid,
       extract(epoch FROM event.occurred_at)::double precision AS since,
       extract(epoch FROM lead(event.occurred_at) OVER task)::double precision AS until,
       event.becomes
FROM jobservice.task_events AS event
LEFT JOIN chaos.workers AS known USING (worker_id)
WHERE event.id > $1
WINDOW task AS (PARTITION BY task_id ORDER BY event.id)
ORDER BY event.id
"""


class _Judge:
    """Looks at one trial's rows."""

    def __init__(self, connection: Any, mark: _Mark, verdict: Verdict) -> None:
        self._connection = connection
        self._mark = mark
        self._verdict = verdict
        self._tasks: list[Mapping[str, Any]] = []
        self._messages: list[Mapping[str, Any]] = []
        self._events: list[Mapping[str, Any]] = []

    async def losses(self, accepted: Sequence[int]) -> None:
        """Everything accepted is there, has succeeded at the first attempt, and was told."""
        executions = await self._connection.fetch(EXECUTIONS, self._mark.execution)
        self._tasks = await self._connection.fetch(TASKS, self._mark.execution)
        self._messages = await self._connection.fetch(MESSAGES, self._mark.execution)
        self._events = await self._connection.fetch(CLAIMS, self._mark.event)
        verdict = self._verdict
        known = {row["id"] for row in executions}
        verdict.lost += [f"execution {one} was accepted" for one in accepted if one not in known]
        verdict.lost += [
            f"execution {row['id']} is {row['status']} with {row['total']} of {ARTIFACTS} tasks"
            for row in executions
            if (row["status"], row["total"]) != ("succeeded", ARTIFACTS)
        ]
        verdict.lost += [
            f"task {task['id']} is {task['status']}: {task['message']}"
            for task in (*self._tasks, *self._messages)
            if task["status"] != "succeeded"
        ]
        if len(self._messages) != len(self._tasks):
            verdict.lost.append(
                f"{len(self._tasks)} tasks ended, and {len(self._messages)} messages tell of them"
            )
        verdict.tasks, verdict.messages = len(self._tasks), len(self._messages)
        verdict.rescues = sum(task["rescues"] for task in (*self._tasks, *self._messages))
        verdict.attempts = sum(task["attempt"] - 1 for task in (*self._tasks, *self._messages))

    async def effects(self, receiver: Receiver) -> None:
        """Every tag was put and every message sent under one fence, and is there."""
        claims: dict[int, list[Claim]] = defaultdict(list)
        for row in self._events:
            if row["becomes"] == "running" and row["pid"] is not None:
                until = {} if row["until"] is None else {"until": row["until"]}
                claims[row["task_id"]].append(
                    Claim(fence=row["fence"], pid=row["pid"], since=row["since"], **until)
                )
        owners: dict[tuple[str, ...], int] = {
            (task["repository"], task["tag"]): task["id"] for task in self._tasks
        }
        owners |= {(one["event"],): one["id"] for one in self._messages}
        noted = {one["id"]: one["noted"] for one in self._messages if one["noted"] is not None}
        writes = receiver.writes[self._mark.write :]
        judged = effects.judge(writes, owners, claims, noted)
        self._verdict.doubled = list(judged.doubled)
        self._verdict.on_the_wire = judged.on_the_wire
        told = {write.what for write in writes}
        self._verdict.lost += [
            f"task {one['id']} has succeeded without its message {one['event']}"
            for one in self._messages
            if one["status"] == "succeeded" and (one["event"],) not in told
        ]
        held = {name: set(there.tags) for name, there in receiver.repositories.items()}
        here = await self._local_tags()
        self._verdict.lost += [
            f"task {task['id']} has succeeded without its tag {task['repository']}:{task['tag']}"
            for task in self._tasks
            if task["status"] == "succeeded"
            and task["tag"] not in held.get(task["repository"], set())
            and (task["repository"], task["tag"]) not in here
        ]

    async def _local_tags(self) -> set[tuple[str, str]]:
        rows = await self._connection.fetch(
            "SELECT repository.name AS repository, tag.name AS tag FROM registry.tags AS tag"
            " JOIN registry.repositories AS repository ON repository.id = repository_id"
        )
        return {(row["repository"], row["tag"]) for row in rows}

    async def rules(self) -> None:
        """Nobody wrote who may not, and the invariants hold."""
        verdict = self._verdict
        verdict.zombie_writes = await audit.zombie_writes(self._connection, self._mark.zombie)
        broken = await invariants.broken(self._connection, at_rest=True)
        verdict.violations += [f"{what}: {rows}" for what, rows in broken.items()]

    def recovery(self, strike: Strike) -> None:
        """How long until what the dead held went on, and until there were claims again."""
        waits = [wait for pid, at in strike.hits for wait in self._waits(pid, at)]
        claims = [row["since"] for row in self._events if row["becomes"] == "running"]
        for server, at in strike.back:
            first = next((since - at for since in claims if since >= at), None)
            # With the leader gone as well, the next one comes first.
            alone = not any(hit < at < hit + RECOVERY_SECONDS for _, hit in strike.hits)
            if first is not None and server == "redis" and alone:
                self._verdict.redis_seconds = max(first, self._verdict.redis_seconds or 0)
            elif first is not None:
                waits.append(first)
        self._verdict.recovery_seconds = max(waits, default=None)

    def _waits(self, pid: int, at: float) -> list[float]:
        """Return how long each task that a process held then has waited for somebody else."""
        timelines: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for row in self._events:
            timelines[row["task_id"]].append(row)
        found = []
        for rows in timelines.values():
            before = [row for row in rows if row["since"] <= at]
            if not before or before[-1]["becomes"] != "running" or before[-1]["pid"] != pid:
                continue
            after = [row["since"] for row in rows if row["since"] > at and _goes_on(row)]
            found += [after[0] - at] if after else []
        return found


def _goes_on(row: Mapping[str, Any]) -> bool:
    return row["becomes"] in {"running", "succeeded", "failed", "stopped"}
