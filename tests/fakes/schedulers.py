"""A scheduler process that starts executions of a made-up vendor, and its starter.

Run as a program it fires what is due until nothing is left, and then ends:
`python -m tests.fakes.schedulers POSTGRES_DSN`.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime

from database.pool import Connection, Database
from jobservice.domain.execution import NewExecution
from jobservice.domain.policy import TriggerKind
from jobservice.domain.schedule import Schedule
from jobservice.errors import PreconditionFailed
from jobservice.maintenance.scheduler import Scheduler
from jobservice.store import executions

VENDOR_TYPE = "made_up"


class Starter:
    """Starts an execution with nothing in it; or what the schedule's parameters say."""

    async def start(self, connection: Connection, schedule: Schedule, fire_time: datetime) -> int:
        new = NewExecution(
            vendor_type=VENDOR_TYPE,
            job_type="plan",
            policy_id=None,
            trigger=TriggerKind.SCHEDULED,
            snapshot={"pages": [], "fire_time": fire_time.isoformat()},
        )
        execution_id = await executions.insert(connection, new)
        # After the row is written: what is refused must leave nothing behind.
        match schedule.parameters.get("then"):
            case "refuse":
                raise PreconditionFailed("it is not in the mood")
            case "break":
                raise ZeroDivisionError("a defect")
            case _:
                return execution_id


STARTERS = {VENDOR_TYPE: Starter()}


async def _main(dsn: str) -> None:
    database = await Database.connect(dsn, application_name="scheduler")
    print("ready", flush=True)  # noqa: T201 - who started us waits for this line
    sys.stdin.readline()
    try:
        await Scheduler(database, STARTERS).tick()
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1]))
