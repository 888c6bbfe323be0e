"""Job types that do what their parameters say, and a worker process that knows no others.

Run as a program it is a worker to be killed: `python -m tests.fakes.jobs POSTGRES_DSN REDIS_DSN`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from database.pool import Database
from jobservice import logging as service_logging
from jobservice import signals, working
from jobservice.domain.retrying import RetryRule
from jobservice.domain.task import NewTask, Progress, TaskError
from jobservice.jobs.base import Answer, Failed, JobType, Run, Snoozed, Succeeded
from jobservice.maintenance.heartbeat import Rhythm
from jobservice.store import planning
from jobservice.store.planning import PlanPage

SLOTS = {"plan": 2, "transfer": 4}
HASTY = Rhythm(beat_seconds=0.3, lease_seconds=1.5, stuck_after_seconds=3, leader_seconds=1.5)


class Plan(JobType):
    """Writes the pages that the snapshot lists: `{"pages": [[parameters, …], …]}`."""

    name: ClassVar[str] = "plan"
    queue: ClassVar[str] = "plan"
    retry: ClassVar[RetryRule] = RetryRule(attempts=1)

    def __init__(self, database: Database) -> None:
        self._database = database

    @override
    async def run(self, run: Run) -> Answer:
        pages = run.task.snapshot["pages"]
        done = run.task.checkpoint["done"] if run.task.checkpoint else 0
        for number, tasks in enumerate(pages[done:], start=done + 1):
            page = PlanPage(
                number=number,
                tasks=[NewTask(job_type="act", queue="transfer", parameters=t) for t in tasks],
                checkpoint={"done": number},
            )
            await self._write(run, page)
            if run.task.snapshot.get("hang_after_page") == number and run.task.fence == 1:
                await asyncio.Event().wait()
        return Succeeded(status_text=run.task.snapshot.get("status_text"))

    async def _write(self, run: Run, page: PlanPage) -> None:
        async with self._database.transaction() as connection:
            await planning.write_page(connection, run.task, page)


class Act(JobType):
    """`do`: succeed, fail, flaky (fails once), snooze (once), raise, hang(_once), cling, wait."""

    name: ClassVar[str] = "act"
    queue: ClassVar[str] = "transfer"
    retry: ClassVar[RetryRule] = RetryRule(attempts=2, first_seconds=0.05, longest_seconds=0.05)

    @override
    async def run(self, run: Run) -> Answer:
        run.progress = Progress(bytes_done=7, bytes_total=10)
        run.note("acting", password="hunter2")
        self._leave_trace(run)
        match run.task.parameters.get("do", "succeed"):
            case "hang" | "hang_once" as how if how == "hang" or run.task.fence == 1:
                await asyncio.Event().wait()
            case "cling":
                await _cling()
            case "wait":
                await _open(Path(run.task.parameters["gate"]))
            case "snooze" if run.task.fence == 1:
                return Snoozed(delay_seconds=0)
            case "flaky" if run.task.attempt == 1:
                return Failed(error=TaskError(message="once", kind="Flaky", retryable=True))
            case "fail":
                return Failed(error=TaskError(message="for good", kind="Broken"))
            case "raise":
                raise ValueError("a bug")
            case _:
                pass
        try:
            await run.confirm()
        finally:
            self._leave_mark(run)
        return Succeeded(result={"attempt": run.task.attempt} | self._who(run))

    def _who(self, run: Run) -> dict[str, int]:
        return {"pid": os.getpid()} if "leave" in run.task.parameters else {}

    def _leave_mark(self, run: Run) -> None:
        if folder := run.task.parameters.get("leave"):
            (Path(folder) / f"left-{os.getpid()}").touch()

    def _leave_trace(self, run: Run) -> None:
        if trace := run.task.parameters.get("trace"):
            with Path(trace).open("a") as file:
                file.write(f"{os.getpid()}\n")


async def _cling() -> None:
    """Hang on, whoever cancels."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


async def _open(gate: Path) -> None:
    while not gate.exists():  # noqa: ASYNC110  files set no events
        await asyncio.sleep(0.02)


def job_types(database: Database) -> Mapping[str, JobType]:
    return {"plan": Plan(database), "act": Act()}


async def main(postgres_dsn: str, redis_dsn: str) -> None:
    service_logging.configure(level="warning")
    setup = working.Setup(postgres_dsn=postgres_dsn, redis_dsn=redis_dsn, slots=SLOTS, rhythm=HASTY)
    database = await Database.connect(postgres_dsn)
    await working.work(setup, database, job_types(database), stop=signals.stop_requested())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
